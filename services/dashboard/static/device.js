// A device's page: why this option, what else it could do, and where its last requests' time went.
import { byId, byName, clock, element, known, ms, option, percent, PLACES, write } from './words.js';

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
  const explained = said.explanation?.options ?? {};
  const names = new Set([...Object.keys(explained), ...Object.keys(said.measured), ...(said.option ? [said.option] : [])]);
  const most = Math.max(...Object.values(explained).map((o) => o.predicted_ms + (o.spread_ms ?? 0)), ...Object.values(said.measured).map((m) => m.median_ms), 1);
  const rows = [...names].sort(byName).map((name) => row(name, said, explained[name], most));
  byId('options').tBodies[0].replaceChildren(...rows);
  const price = said.explanation?.price;
  write(byId('device-price'), known(price) ? `The goal's price: ${price.toFixed(2)} ms per percent of accuracy; the score is the prediction plus that price for the accuracy it lacks.` : '');
  const longest = Math.max(...said.requests.map((r) => r.response_ms), 1);
  byId('waterfall').replaceChildren(...said.requests.map((r) => request(r, longest)));
}

function why(said, told) {
  if (!told.tier) return 'It has not been told anything yet.';
  const words = [`Told to run ${told.variant} ${PLACES[told.tier] ?? ''} (${said.node}), by the policy “${said.policy}”.`];
  if (said.executed && said.executed !== said.option) words.push(`It last ran ${said.executed}${said.fallback === 'none' ? '' : ` (${said.fallback})`}.`);
  if (said.explanation?.reason) words.push(said.explanation.reason);
  return words.join(' ');
}

function row(name, said, explained, most) {
  const measured = said.measured[name];
  const accuracy = said.accuracies[option(name).variant];
  const chosen = name === said.option;
  const bar = element('span', { class: 'guess' });
  if (explained) {
    const share = (value) => `${(100 * Math.max(value, 0)) / most}%`;
    bar.style.setProperty('--at', share(explained.predicted_ms));
    bar.style.setProperty('--low', share(explained.predicted_ms - (explained.spread_ms ?? 0)));
    bar.style.setProperty('--wide', share(2 * (explained.spread_ms ?? 0)));
  }
  const predicted = explained ? `${ms(explained.predicted_ms)}${known(explained.spread_ms) ? ` ± ${ms(explained.spread_ms)}` : ''}` : '–';
  return element('tr', { class: chosen ? 'own' : '', 'aria-current': chosen ? 'true' : null },
    element('th', { scope: 'row', 'data-tier': option(name).tier }, name, chosen ? ' ◂ in force' : ''),
    element('td', {}, percent(accuracy)),
    element('td', { class: 'predicted' }, predicted, explained ? bar : ''),
    element('td', {}, measured ? `${ms(measured.median_ms)} (${measured.n})` : '–'),
    element('td', {}, known(explained?.score_ms) ? ms(explained.score_ms) : '–'));
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
  const note = said.fallback !== 'none' ? ` ${said.fallback}` : said.simulated ? ' simulated' : '';
  return element('li', { title: words },
    element('time', {}, clock(said.at)), element('b', { 'data-tier': option(said.executed).tier }, said.executed),
    element('span', { class: 'bars', role: 'img', 'aria-label': words }, ...bars), element('span', { class: 'total' }, ms(said.response_ms), note));
}
