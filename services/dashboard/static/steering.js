// What people may change: the goal, and whether to explore. The answer says who changed it and when, or why not.
import { byId, clock, mark, write } from './words.js';
import { shown } from './tables.js';
import { store } from './store.js';

const SETTLE = 450; // Milliseconds of rest after a key before the slider's wish is posted.

let wishes = [];
let touched = -Infinity; // While someone holds the slider, what arrives does not move it.
let waiting = null;

/** Listen to the controls. */
export function begin() {
  const slider = byId('goal-slider');
  slider.addEventListener('input', () => {
    touched = performance.now();
    say(wishes[slider.value]);
  });
  slider.addEventListener('change', () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => wish(wishes[slider.value]), SETTLE);
  });
  byId('goal-min').addEventListener('click', () => wish('min'));
  byId('goal-max').addEventListener('click', () => wish('max'));
  byId('explore').addEventListener('click', () => post('api/exploration', { explore: byId('explore').getAttribute('aria-pressed') === 'true', by: byId('who').value }));
  const who = byId('who');
  who.value = remembered() ?? '';
  who.addEventListener('change', () => remember(who.value));
}

/** Draw what has changed. */
export function draw(changed) {
  if (!changed.all && !changed.sections.has('site')) return;
  const { about, accuracies, exploration, goal } = store.site;
  choices(accuracies ?? {});
  byId('read-only').hidden = !about?.read_only;
  for (const id of ['goal-slider', 'goal-min', 'goal-max', 'explore', 'who']) byId(id).disabled = Boolean(about?.read_only);
  exploring(exploration);
  if (!goal) return;
  write(byId('goal-by'), `in force: ${shown(goal.goal)}, set by ${goal.by || 'someone'} at ${clock(goal.at)}`);
  if (performance.now() - touched > 2000) place(goal.goal);
}

function exploring(said) {
  const paused = said?.explore === false;
  mark(byId('explore'), 'aria-pressed', paused);
  write(byId('explore'), paused ? 'Go on exploring' : 'Pause exploring');
  write(byId('explore-by'), said ? `${paused ? 'paused' : 'exploring'}, set by ${said.by || 'someone'} at ${clock(said.at)}` : 'exploring');
}

/** `min`, percents between the least and the most accurate variant in halves, `max`. */
function choices(accuracies) {
  const values = Object.values(accuracies);
  const low = values.length ? Math.floor(Math.min(...values)) : 0;
  const high = values.length ? Math.floor(Math.max(...values) * 2) / 2 : 100;
  const made = ['min'];
  for (let percent = low; percent <= high; percent += 0.5) made.push(String(percent));
  made.push('max');
  if (made.length === wishes.length && made[1] === wishes[1]) return;
  wishes = made;
  byId('goal-slider').max = String(made.length - 1);
}

function place(goal) {
  const slider = byId('goal-slider');
  let index = wishes.indexOf(goal);
  if (index < 0) {
    const percent = Number(goal);
    index = 1;
    for (let k = 1; k < wishes.length - 1; k += 1) {
      if (Math.abs(Number(wishes[k]) - percent) < Math.abs(Number(wishes[index]) - percent)) index = k;
    }
  }
  slider.value = String(index);
  say(goal);
}

function say(goal) {
  write(byId('goal-wish'), shown(goal));
  byId('goal-slider').setAttribute('aria-valuetext', shown(goal));
}

async function wish(goal) {
  touched = performance.now();
  const said = await post('api/goal', { goal, by: byId('who').value });
  if (said.error) touched = -Infinity;
}

/** Post a wish; shows the answer, and returns it. */
async function post(path, body) {
  const answer = byId('answer');
  let said;
  try {
    const response = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    said = await response.json();
  } catch {
    said = { error: 'the dashboard does not answer' };
  }
  write(answer, said.error ? `Refused: ${said.error}` : '');
  return said;
}

function remembered() {
  try {
    return localStorage.getItem('who');
  } catch {
    return null; // Storage may be forbidden; then nothing is remembered.
  }
}

function remember(name) {
  try {
    localStorage.setItem('who', name);
  } catch {
    // As above.
  }
}
