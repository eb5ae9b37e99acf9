// Facts, tables and the event log.
import { byId, byName, clock, element, known, ms, percent, setText } from './dom.js';
import { hue } from './charts.js';
import { latest, state } from './state.js';

const ANNOUNCED = new Set(['dead', 'alive', 'bus', 'goal', 'left', 'reset', 'exploration']);
let announced = null;

/** Draw the changes. */
export function draw(changed) {
  const touched = (section) => changed.all || changed.sections.has(section);
  if (touched('site') || changed.rows) facts();
  if (touched('policies') || changed.rows) policies();
  if (touched('members') || touched('workers') || touched('site')) drawTraining();
  if (touched('journal')) drawEvents();
}

function facts() {
  const { goal, round } = state.site;
  setText(byId('fact-goal'), goal ? shown(goal.goal) : '–');
  setText(byId('fact-accuracy'), percent(latest('accuracy')));
  setText(byId('fact-median'), ms(latest('median')));
  setText(byId('fact-p95'), ms(latest('p95')));
  setText(byId('fact-in-time'), percent(known(round?.in_time) ? 100 * round.in_time : null));
  setText(byId('fact-round'), round?.number ? String(round.number) : '–');
  setText(byId('fact-policy'), round?.policy ?? '–');
  const [accuracy, required] = [latest('accuracy'), latest('required')];
  byId('fact-accuracy').dataset.met = !known(accuracy) || !known(required) ? '' : accuracy >= required - 1e-9 ? 'yes' : 'no';
}

export const shown = (goal) => (goal === 'min' || goal === 'max' ? goal : `${goal} %`);

function policies() {
  const rows = Object.entries(state.policies).map(([name, record]) => ({ name, ...record }));
  const now = latest('median');
  if (known(now)) rows.push({ name: 'median now', ms: now, accuracy: latest('accuracy'), own: true });
  const oracle = latest('oracle');
  if (known(oracle)) rows.push({ name: 'oracle', ms: oracle, source: 'the simulated world' });
  rows.sort((a, b) => a.ms - b.ms);
  byId('policies').tBodies[0].replaceChildren(...rows.map(policy));
}

function policy({ name, ms: value, accuracy, source, rounds, own }) {
  const origin = own ? 'the last 10 seconds' : source === 'measured' ? `${rounds} evaluation rounds` : source === 'profile' ? 'profile, compute only' : source;
  const swatch = element('i', { class: 'swatch' });
  swatch.style.setProperty('--hue', `var(${own ? '--ink' : name === 'oracle' ? '--good' : hue(name)})`);
  return element('tr', { class: own || name === 'learned' ? 'own' : '' },
    element('th', { scope: 'row' }, swatch, name), element('td', {}, ms(value)), element('td', {}, percent(accuracy)), element('td', {}, origin));
}

function drawTraining() {
  const { decider, learning: training, truth } = state.site;
  const facts = [];
  const fact = (name, value, text) => known(value) && facts.push([name, text ?? String(value)]);
  fact('α, share of planning', training?.alpha, training?.alpha?.toFixed(2));
  fact('real', training?.real_rate, `${training?.real_rate?.toFixed(1)}/s, ${training?.real ?? 0} in all`);
  fact('planned', training?.planned_rate, `${training?.planned_rate?.toFixed(1)}/s, ${training?.planned ?? 0} in all`);
  fact('dropped as stale', training?.dropped);
  for (const [name, entries] of Object.entries(training?.buffers ?? {})) fact(`buffer ${name}`, entries);
  fact('greedy, expected', training?.greedy_ms, ms(training?.greedy_ms));
  fact('cost of exploration and noise', training?.exploring_costs, percent((training?.exploring_costs ?? 0) * 100));
  fact('decider behind by', decider?.behind, decider?.behind === 1 ? '1 round' : `${decider?.behind} rounds`);
  fact('censored', decider?.censored);
  fact('fallbacks', decider?.fallbacks);
  fact('true optimum', truth?.oracle_ms, ms(truth?.oracle_ms));
  fact('true regret', truth?.regret, percent((truth?.regret ?? 0) * 100));
  fact('steps to optimal', truth?.steps);
  byId('learning').replaceChildren(...facts.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))));
  members();
}

function members() {
  const holders = new Map();
  for (const [worker, { slots }] of Object.entries(state.workers)) for (const slot of slots) holders.set(slot, worker);
  const names = Object.keys(state.members).sort((a, b) => (a === 'policy' ? -1 : b === 'policy' ? 1 : byName(a, b)));
  byId('members').tBodies[0].replaceChildren(...names.map((name) => {
    const member = state.members[name];
    const cells = [member.version, member.learned, figure(member.error), member.holder ?? holders.get(name) ?? (name === 'policy' ? 'trainer' : '–')];
    return element('tr', {}, element('th', { scope: 'row' }, name), ...cells.map((cell) => element('td', {}, String(cell ?? '–'))));
  }));
}

const figure = (value) => (known(value) ? value.toFixed(3) : '–');

function drawEvents() {
  const numbers = Object.keys(state.journal).map(Number).sort((a, b) => b - a);
  byId('journal').replaceChildren(...numbers.slice(0, 12).map((n) => {
    const { at, kind, words: text } = state.journal[n];
    return element('li', { 'data-kind': kind }, element('time', {}, clock(at)), text);
  }));
  if (!numbers.length) byId('journal').replaceChildren(element('li', { class: 'note' }, 'nothing yet'));
  const unread = announced === null ? [] : numbers.filter((n) => n > announced && ANNOUNCED.has(state.journal[n].kind));
  announced = numbers[0] ?? 0;
  if (unread.length) setText(byId('spoken'), unread.slice(0, 4).reverse().map((n) => state.journal[n].words).join('. '));
}
