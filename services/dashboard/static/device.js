// A device's page: why this option, what else it could do, and where its last requests' time went.
import { byId, byName, clock, element, known, ms, option, own, percent, PLACES, write } from './words.js';

const AGAIN = 1000; // Milliseconds between two looks while it is open.
const PARTS = ['decision', 'network', 'queue', 'compute'];

let open = null;

/** Listen for its closing, and for an address that names a device. */
export function begin() {
  byId('device-close').addEventListener('click', () => byId('device').close());
  byId('device').addEventListener('close', () => {
    open = null;
    history.replaceState(null, '', location.pathname);
  });
  byId('device').addEventListener('click', (pressed) => pressed.target === byId('device') && byId('device').close());
  setInterval(() => open && !document.hidden && look(), AGAIN);
  const named = new URLSearchParams(location.hash.slice(1)).get('device');
  if (named) show(named);
}

/** Open the page of one device. */
export async function show(name) {
  open = name;
  write(byId('device-title'), name);
  history.replaceState(null, '', `#device=${encodeURIComponent(name)}`);
  await look();
  if (open === name && !byId('device').open) byId('device').showModal();
}

async function look() {
  const name = open;
  let said;
  try {
    said = await (await fetch(`api/device/${encodeURIComponent(name)}`)).json();
  } catch {
    said = { error: 'the dashboard does not answer' };
  }
  if (open !== name) return;
  if (said.error) write(byId('device-why'), said.error);
  else draw(said);
}

function draw(said) {
  const told = option(said.option);
  write(byId('device-why'), why(said, told));
  const explained = new Map((said.explanation?.options ?? []).map((choice) => [choice.option, choice]));
  const names = new Set([...explained.keys(), ...Object.keys(said.measured), ...(said.option ? [said.option] : [])]);
  const typical = Math.max(...[...explained.values()].map((choice) => choice.predicted_ms ?? 0), ...Object.values(said.measured).map((m) => m.median_ms), 1);
  const highest = Math.max(...[...explained.values()].map((choice) => choice.high_ms ?? 0), typical);
  const most = Math.min(highest, 2 * typical); // What nobody knows yet reaches out of the picture.
  byId('options').tBodies[0].replaceChildren(...[...names].sort(byName).map((name) => row(name, said, explained.get(name), most)));
  write(byId('device-price'), price(said.explanation));
  write(byId('device-note'), said.requests.some((r) => r.simulated) ? 'Times are virtual: the world is simulated.' : '');
  const longest = Math.max(...said.requests.map((r) => r.response_ms), 1);
  byId('waterfall').replaceChildren(...said.requests.map((r) => request(r, longest)));
}

function why(said, told) {
  if (!told.tier) return 'It has not been told anything yet.';
  const words = [`Told to run ${told.variant} ${PLACES[told.tier] ?? ''} (${said.node}), by the policy “${said.policy}”.`];
  if (said.executed && said.executed !== said.option) words.push(`It last ran ${said.executed}${said.fallback === 'none' ? '' : ` (${said.fallback})`}.`);
  const explanation = said.explanation;
  if (!explanation) words.push('The decider does not say why right now.');
  else if (explanation.policy === 'explore' && known(explanation.head)) words.push(`In this round head ${explanation.head} of the ensemble explores; without exploring, the mean of all decides.`);
  else if (!explanation.exploring) words.push('Exploring is paused: the mean of all heads decides.');
  return words.join(' ');
}

function price(explanation) {
  if (!explanation) return '';
  const words = [`Goal ${explanation.goal}.`];
  if (!explanation.feasible) words.push('No assignment meets it.');
  if (known(explanation.price_ms)) words.push(`Its price: one percent point of average accuracy less would save ${ms(explanation.price_ms)} of the average response time.`);
  if (known(explanation.average_ms)) words.push(`Expected of the greedy assignment of all devices: ${ms(explanation.average_ms)} at ${percent(explanation.accuracy_pct)}.`);
  return words.join(' ');
}

function row(name, said, explained, most) {
  const measured = own(said.measured, name);
  const accuracy = own(said.accuracies, option(name).variant);
  const chosen = name === said.option;
  const bar = element('span', { class: 'guess' });
  const guess = known(explained?.predicted_ms);
  let predicted = guess ? ms(explained.predicted_ms) : '–';
  if (guess) {
    const [low, high] = [explained.low_ms ?? explained.predicted_ms, explained.high_ms ?? explained.predicted_ms];
    const share = (value) => `${(100 * value) / most}%`;
    bar.style.setProperty('--at', share(explained.predicted_ms));
    bar.style.setProperty('--low', share(low));
    bar.style.setProperty('--wide', share(high - low));
    predicted += ` (${ms(low)} to ${ms(high)})`;
  }
  const note = chosen ? ' ◂ in force' : explained?.greedy ? ' ◃ greedy' : explained && !explained.available ? ' not available' : '';
  return element('tr', { class: chosen ? 'own' : '', 'aria-current': chosen ? 'true' : null },
    element('th', { scope: 'row', 'data-tier': option(name).tier }, name, note),
    element('td', {}, percent(accuracy)),
    element('td', { class: 'predicted' }, predicted, guess ? bar : ''),
    element('td', {}, measured ? `${ms(measured.median_ms)} (${measured.n})` : '–'),
    element('td', {}, explained && option(name).tier !== 'L' ? `${explained.load} on ${explained.node}` : ''));
}

function request(said, longest) {
  const parts = PARTS.map((part) => [part, said[`${part}_ms`]]).filter(([, value]) => value > 0);
  const rest = said.response_ms - parts.reduce((sum, [, value]) => sum + value, 0);
  if (rest > 0.05) parts.push(['rest', rest]);
  const words = parts.map(([part, value]) => `${part} ${ms(value)}`).join(', ');
  const bars = parts.map(([part, value]) => {
    const bar = element('i', { 'data-part': part });
    bar.style.setProperty('--wide', `${(100 * value) / longest}%`);
    return bar;
  });
  const note = said.fallback !== 'none' ? ` ${said.fallback}` : '';
  return element('li', { title: words },
    element('time', {}, clock(said.at)), element('b', { 'data-tier': option(said.executed).tier }, said.executed),
    element('span', { class: 'bars', role: 'img', 'aria-label': words }, ...bars), element('span', { class: 'total' }, ms(said.response_ms), note));
}
