// Facts, tables and the journal.
import { byId, byName, clock, element, known, ms, percent, write } from './words.js';
import { hue } from './charts.js';
import { latest, store } from './store.js';

const SPOKEN = new Set(['dead', 'alive', 'bus', 'goal', 'left', 'reset', 'exploration']);
let spoken = null;

/** Draw what has changed. */
export function draw(changed) {
  const touched = (section) => changed.all || changed.sections.has(section);
  if (touched('site') || changed.rows) facts();
  if (touched('policies') || changed.rows) policies();
  if (touched('members') || touched('workers') || touched('site')) learning();
  if (touched('journal')) journal();
}

function facts() {
  const { goal, round } = store.site;
  write(byId('fact-goal'), goal ? shown(goal.goal) : '–');
  write(byId('fact-accuracy'), percent(latest('accuracy')));
  write(byId('fact-median'), ms(latest('median')));
  write(byId('fact-p95'), ms(latest('p95')));
  write(byId('fact-round'), round?.number ? String(round.number) : '–');
  write(byId('fact-policy'), round?.policy ?? '–');
  const [accuracy, required] = [latest('accuracy'), latest('required')];
  byId('fact-accuracy').dataset.met = !known(accuracy) || !known(required) ? '' : accuracy >= required - 1e-9 ? 'yes' : 'no';
}

export const shown = (goal) => (goal === 'min' || goal === 'max' ? goal : `${goal} %`);

function policies() {
  const rows = Object.entries(store.policies).map(([name, said]) => ({ name, ...said }));
  const now = latest('median');
  if (known(now)) rows.push({ name: 'median now', ms: now, accuracy: latest('accuracy'), own: true });
  const oracle = latest('oracle');
  if (known(oracle)) rows.push({ name: 'oracle', ms: oracle, source: 'the simulated world' });
  rows.sort((a, b) => a.ms - b.ms);
  byId('policies').tBodies[0].replaceChildren(...rows.map(policy));
}

function policy({ name, ms: value, accuracy, source, rounds, own }) {
  const words = own ? 'the last 10 seconds' : source === 'measured' ? `${rounds} evaluation rounds` : source === 'profile' ? 'profile, alone' : source;
  const swatch = element('i', { class: 'swatch' });
  swatch.style.setProperty('--hue', `var(${own ? '--ink' : name === 'oracle' ? '--good' : hue(name)})`);
  return element('tr', { class: own || name === 'learned' ? 'own' : '' },
    element('th', { scope: 'row' }, swatch, name), element('td', {}, ms(value)), element('td', {}, percent(accuracy)), element('td', {}, words));
}

function learning() {
  const { decider, learning: told, truth } = store.site;
  const facts = [];
  const fact = (name, value, words) => known(value) && facts.push([name, words ?? String(value)]);
  fact('α, share of planning', told?.alpha, told?.alpha?.toFixed(2));
  fact('real', told?.real_rate, `${told?.real_rate?.toFixed(1)}/s, ${told?.real ?? 0} in all`);
  fact('planned', told?.planned_rate, `${told?.planned_rate?.toFixed(1)}/s, ${told?.planned ?? 0} in all`);
  fact('dropped as stale', told?.dropped);
  for (const [name, entries] of Object.entries(told?.buffers ?? {})) fact(`buffer ${name}`, entries);
  fact('greedy, expected', told?.greedy_ms, ms(told?.greedy_ms));
  fact('exploring and noise cost', told?.exploring_costs, percent((told?.exploring_costs ?? 0) * 100));
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
  for (const [worker, { slots }] of Object.entries(store.workers)) for (const slot of slots) holders.set(slot, worker);
  const names = Object.keys(store.members).sort((a, b) => (a === 'policy' ? -1 : b === 'policy' ? 1 : byName(a, b)));
  byId('members').tBodies[0].replaceChildren(...names.map((name) => {
    const said = store.members[name];
    const cells = [said.version, said.learned, figure(said.error), said.holder ?? holders.get(name) ?? (name === 'policy' ? 'learner' : '–')];
    return element('tr', {}, element('th', { scope: 'row' }, name), ...cells.map((cell) => element('td', {}, String(cell ?? '–'))));
  }));
}

const figure = (value) => (known(value) ? value.toFixed(3) : '–');

function journal() {
  const numbers = Object.keys(store.journal).map(Number).sort((a, b) => b - a);
  byId('journal').replaceChildren(...numbers.slice(0, 12).map((n) => {
    const { at, kind, words } = store.journal[n];
    return element('li', { 'data-kind': kind }, element('time', {}, clock(at)), words);
  }));
  if (!numbers.length) byId('journal').replaceChildren(element('li', { class: 'note' }, 'nothing yet'));
  const news = spoken === null ? [] : numbers.filter((n) => n > spoken && SPOKEN.has(store.journal[n].kind));
  spoken = numbers[0] ?? 0;
  if (news.length) write(byId('spoken'), news.slice(0, 4).reverse().map((n) => store.journal[n].words).join('. '));
}
