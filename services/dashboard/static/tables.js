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
  swatch.style.setProperty('--hue', `var(${own ? '--ink' : hue(name)})`);
  return element('tr', { class: own || name === 'learned' ? 'own' : '' },
    element('th', { scope: 'row' }, swatch, name), element('td', {}, ms(value)), element('td', {}, percent(accuracy)), element('td', {}, words));
}

function learning() {
  const { policy: direct, learning: told, round } = store.site;
  const facts = [];
  if (told?.alpha !== undefined) facts.push(['α (planned share)', told.alpha === null ? '–' : told.alpha.toFixed(2)]);
  if (direct && round?.closed) facts.push(['behind by', `${Math.max(round.closed - direct.round, 0)} rounds`]);
  for (const [label, key, unit] of [['real', 'real_rate', '/s'], ['planned', 'planned_rate', '/s'], ['updates', 'update_rate', '/s']]) {
    if (known(told?.[key])) facts.push([label, `${told[key].toFixed(1)} ${unit}`]);
  }
  for (const [label, key] of [['D direct', 'direct_buffer'], ['D world', 'world_buffer'], ['D plan', 'plan_buffer']]) {
    if (known(told?.[key])) facts.push([label, String(told[key])]);
  }
  byId('learning').replaceChildren(...facts.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))));
  const holders = new Map();
  for (const [worker, { slots }] of Object.entries(store.workers)) for (const slot of slots) holders.set(slot, worker);
  const rows = Object.keys(store.members).sort(byName).map((name) => [name, store.members[name], holders.get(name) ?? '–']);
  if (direct) rows.unshift(['policy', direct, 'learner']);
  byId('members').tBodies[0].replaceChildren(...rows.map(([name, said, holder]) => element('tr', {},
    element('th', { scope: 'row' }, name), element('td', {}, String(said.version)), element('td', {}, String(said.learned)),
    element('td', {}, known(said.error) ? said.error.toFixed(3) : '–'), element('td', {}, holder))));
}

function journal() {
  const numbers = Object.keys(store.journal).map(Number).sort((a, b) => b - a);
  byId('journal').replaceChildren(...numbers.slice(0, 12).map((n) => {
    const { at, kind, words } = store.journal[n];
    return element('li', { 'data-kind': kind }, element('time', {}, clock(at)), words);
  }));
  const news = spoken === null ? [] : numbers.filter((n) => n > spoken && SPOKEN.has(store.journal[n].kind));
  spoken = numbers[0] ?? 0;
  if (news.length) write(byId('spoken'), news.slice(0, 4).reverse().map((n) => store.journal[n].words).join('. '));
}
