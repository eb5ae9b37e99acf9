// Details of a device: its decision, its options, and the parts of its last requests' time.
import { byId, byName, clock, element, known, ms, option, own, percent, setText, TIER_TEXTS } from './dom.js';

const REFRESH_MS = 1000; // Between two refreshes while the dialog is open.
const PARTS = ['decision', 'network', 'queue', 'compute'];

let open = null;
let requested = 0; // Counts calls of `show`.
let shown = 0; // The call whose device the dialog shows.

/** Install handlers, and open the device that the URL names. */
export function begin() {
  byId('device-close').addEventListener('click', () => byId('device').close());
  byId('device').addEventListener('close', () => {
    if (requested !== shown) return; // Another device was selected before this event arrived.
    open = null;
    history.replaceState(null, '', location.pathname);
  });
  byId('device').addEventListener('click', (pressed) => pressed.target === byId('device') && byId('device').close());
  setInterval(() => open && !document.hidden && refresh(), REFRESH_MS);
  const named = new URLSearchParams(location.hash.slice(1)).get('device');
  if (named) show(named);
}

/** Open the details of one device. */
export async function show(name) {
  open = name;
  const request = ++requested;
  setText(byId('device-title'), name);
  history.replaceState(null, '', `#device=${encodeURIComponent(name)}`);
  await refresh();
  if (request !== requested || byId('device').open) return;
  shown = request;
  byId('device').showModal();
}

async function refresh() {
  const name = open;
  let details;
  try {
    details = await (await fetch(`api/device/${encodeURIComponent(name)}`)).json();
  } catch {
    details = { error: 'the dashboard does not answer' };
  }
  if (open !== name) return;
  if (details.error) setText(byId('device-why'), details.error);
  else draw(details);
}

function draw(details) {
  const decided = option(details.option);
  setText(byId('device-why'), decisionText(details, decided));
  const explained = new Map((details.explanation?.options ?? []).map((choice) => [choice.option, choice]));
  const names = new Set([...explained.keys(), ...Object.keys(details.measured), ...(details.option ? [details.option] : [])]);
  const typical = Math.max(...[...explained.values()].map((choice) => choice.predicted_ms ?? 0), ...Object.values(details.measured).map((m) => m.median_ms), 1);
  const highest = Math.max(...[...explained.values()].map((choice) => choice.high_ms ?? 0), typical);
  const most = Math.min(highest, 2 * typical); // Bounds of untried options may exceed the scale.
  byId('options').tBodies[0].replaceChildren(...[...names].sort(byName).map((name) => row(name, details, explained.get(name), most)));
  setText(byId('device-price'), goalText(details.explanation));
  setText(byId('device-note'), details.requests.some((r) => r.simulated) ? 'Times are virtual: the world is simulated.' : '');
  const longest = Math.max(...details.requests.map((r) => r.response_ms), 1);
  byId('waterfall').replaceChildren(...details.requests.map((r) => request(r, longest)));
}

function decisionText(details, decided) {
  if (!decided.tier) return 'There is no decision for it yet.';
  const text = [`Decision: run ${decided.variant} ${TIER_TEXTS[decided.tier] ?? ''} (${details.node}); policy “${details.policy}”.`];
  if (details.executed && details.executed !== details.option) text.push(`It last ran ${details.executed}${details.fallback === 'none' ? '' : ` (${details.fallback})`}.`);
  const explanation = details.explanation;
  if (!explanation) text.push('The decider gives no explanation at the moment.');
  else if (!explanation.exploring) text.push('Exploration is paused: the expected times decide.');
  return text.join(' ');
}

function goalText(explanation) {
  if (!explanation) return '';
  const text = [`Goal ${explanation.goal}.`];
  if (!explanation.feasible) text.push('No assignment meets it.');
  if (known(explanation.price_ms)) text.push(`Price of the goal: lowering it by one percentage point would save ${ms(explanation.price_ms)} of the average response time.`);
  if (known(explanation.average_ms)) text.push(`Expected for the greedy assignment of all devices: ${ms(explanation.average_ms)} at ${percent(explanation.accuracy_pct)}.`);
  return text.join(' ');
}

function row(name, details, explained, most) {
  const measured = own(details.measured, name);
  const accuracy = own(details.accuracies, option(name).variant);
  const chosen = name === details.option;
  const bar = element('span', { class: 'guess' });
  const hasPrediction = known(explained?.predicted_ms);
  let predicted = hasPrediction ? ms(explained.predicted_ms) : '–';
  if (hasPrediction) {
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
    element('td', { class: 'predicted' }, predicted, hasPrediction ? bar : ''),
    element('td', {}, measured ? `${ms(measured.median_ms)} (${measured.n})` : '–'),
    element('td', {}, explained && option(name).tier !== 'L' ? `${explained.load} on ${explained.node}` : ''));
}

function request(outcome, longest) {
  const parts = PARTS.map((part) => [part, outcome[`${part}_ms`]]).filter(([, value]) => value > 0);
  const rest = outcome.response_ms - parts.reduce((sum, [, value]) => sum + value, 0);
  if (rest > 0.05) parts.push(['rest', rest]);
  const text = parts.map(([part, value]) => `${part} ${ms(value)}`).join(', ');
  const bars = parts.map(([part, value]) => {
    const bar = element('i', { 'data-part': part });
    bar.style.setProperty('--wide', `${(100 * value) / longest}%`);
    return bar;
  });
  const note = outcome.fallback !== 'none' ? ` ${outcome.fallback}` : '';
  return element('li', { title: text },
    element('time', {}, clock(outcome.at)), element('b', { 'data-tier': option(outcome.executed).tier }, outcome.executed),
    element('span', { class: 'bars', role: 'img', 'aria-label': text }, ...bars), element('span', { class: 'total' }, ms(outcome.response_ms), note));
}
