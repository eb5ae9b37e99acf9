// Controls for the goal and for exploration. The page shows author and time of a change, or why it was refused.
import { byId, clock, setAttribute, setText } from './dom.js';
import { shown } from './tables.js';
import { state } from './state.js';

const POST_DELAY_MS = 450; // From the last change of the slider until its goal is posted.

let goals = [];
let touched = -Infinity; // While the slider is in use, received goals do not move it.
let waiting = null;

/** Install handlers. */
export function begin() {
  const slider = byId('goal-slider');
  slider.addEventListener('input', () => {
    touched = performance.now();
    showGoal(goals[slider.value]);
  });
  slider.addEventListener('change', () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => postGoal(goals[slider.value]), POST_DELAY_MS);
  });
  byId('goal-min').addEventListener('click', () => postGoal('min'));
  byId('goal-max').addEventListener('click', () => postGoal('max'));
  byId('explore').addEventListener('click', () => post('api/exploration', { explore: byId('explore').getAttribute('aria-pressed') === 'true', by: byId('who').value }));
  const who = byId('who');
  who.value = storedName() ?? '';
  who.addEventListener('change', () => storeName(who.value));
}

/** Draw the changes. */
export function draw(changed) {
  if (!changed.all && !changed.sections.has('site')) return;
  const { about, accuracies, exploration, goal } = state.site;
  setChoices(accuracies ?? {});
  byId('read-only').hidden = !about?.read_only;
  for (const id of ['goal-slider', 'goal-min', 'goal-max', 'explore', 'who']) byId(id).disabled = Boolean(about?.read_only);
  drawExploration(exploration);
  if (!goal) return;
  setText(byId('goal-by'), `in force: ${shown(goal.goal)}, set by ${goal.by || 'someone'} at ${clock(goal.at)}`);
  if (performance.now() - touched > 2000) setSlider(goal.goal);
}

function drawExploration(exploration) {
  const paused = exploration?.explore === false;
  setAttribute(byId('explore'), 'aria-pressed', paused);
  setText(byId('explore'), paused ? 'Go on exploring' : 'Pause exploring');
  setText(byId('explore-by'), exploration ? `${paused ? 'paused' : 'exploring'}, set by ${exploration.by || 'someone'} at ${clock(exploration.at)}` : 'exploring');
}

/** Offer `min`, half percents between the least and the most accurate variant, and `max`. */
function setChoices(accuracies) {
  const values = Object.values(accuracies);
  const low = values.length ? Math.floor(Math.min(...values)) : 0;
  const high = values.length ? Math.floor(Math.max(...values) * 2) / 2 : 100;
  const made = ['min'];
  for (let percent = low; percent <= high; percent += 0.5) made.push(String(percent));
  made.push('max');
  if (made.length === goals.length && made[1] === goals[1]) return;
  goals = made;
  byId('goal-slider').max = String(made.length - 1);
}

function setSlider(goal) {
  const slider = byId('goal-slider');
  let index = goals.indexOf(goal);
  if (index < 0) {
    const percent = Number(goal);
    index = 1;
    for (let k = 1; k < goals.length - 1; k += 1) {
      if (Math.abs(Number(goals[k]) - percent) < Math.abs(Number(goals[index]) - percent)) index = k;
    }
  }
  slider.value = String(index);
  showGoal(goal);
}

function showGoal(goal) {
  setText(byId('goal-wish'), shown(goal));
  byId('goal-slider').setAttribute('aria-valuetext', shown(goal));
}

async function postGoal(goal) {
  touched = performance.now();
  const response = await post('api/goal', { goal, by: byId('who').value });
  if (response.error) touched = -Infinity;
}

/** Post an action; shows and returns the response. */
async function post(path, body) {
  const answer = byId('answer');
  let response;
  try {
    const reply = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    response = await reply.json();
  } catch {
    response = { error: 'the dashboard does not answer' };
  }
  setText(answer, response.error ? `Refused: ${response.error}` : '');
  return response;
}

function storedName() {
  try {
    return localStorage.getItem('who');
  } catch {
    return null; // Storage may be disabled; then the name is not stored.
  }
}

function storeName(name) {
  try {
    localStorage.setItem('who', name);
  } catch {
    // As above.
  }
}
