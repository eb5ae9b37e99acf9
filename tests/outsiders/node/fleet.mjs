// A fleet that runs free, written from schemas/asyncapi.yaml alone: node fleet.mjs URL SECONDS
//
// Two cameras, an edge and a cloud, in one process. Nothing is inferred: requests wait as long as
// their option takes. The first camera makes ten requests a second, the second one in a second.
// The last line printed is a JSON object of what was published.
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { connect, JSONCodec, headers } from 'nats';

const [url, seconds] = [process.argv[2], Number(process.argv[3])];
const json = JSONCodec();
const ACCURACY = { d0: 89.9, d3: 74.2 };
const HOME = 'gate';
const CLOUD = 'sky';
// Milliseconds of each option; the edge takes longer, the more cameras use it.
const LOCAL = { 'cam-1': { d0: 160, d3: 40 }, 'cam-2': { d0: 90, d3: 25 } };
const PACE = { 'cam-1': 100, 'cam-2': 1000 };

const client = await connect({ servers: url, name: 'outsider' });
const streams = client.jetstream();
const decided = new Map();
let window = null;
const reported = { 'cam-1': [], 'cam-2': [] };

const message = (type, fields) => ({ type, id: randomUUID(), at: new Date().toISOString(), ...fields });

/** Publish a kept message: again, until the stream has stored it. */
async function kept(subject, body) {
  for (;;) {
    try {
      await streams.publish(subject, json.encode(body), { msgID: body.id });
      return;
    } catch {
      await wait(200);
    }
  }
}

function plain(subject, body) {
  const identity = headers();
  identity.set('Nats-Msg-Id', body.id);
  client.publish(subject, json.encode(body), { headers: identity });
}

async function announce() {
  const nodes = [[CLOUD, 'cloud', { d0: 20 }], [HOME, 'edge', { d0: 30 }],
    ...Object.keys(LOCAL).map((name) => [name, 'device', LOCAL[name]])];
  for (const [node, tier, profile] of nodes) {
    const accuracy = Object.fromEntries(Object.keys(profile).map((v) => [v, ACCURACY[v]]));
    const home = tier === 'device' ? { home: HOME } : {};
    await kept(`capability.v1.${node}`, message('capability.v1', { node, tier, accuracy_pct: accuracy, profile_ms: profile, ...home }));
  }
  return nodes.map(([node]) => node);
}

async function follow() {
  const decisions = client.subscribe('decision.v1.*');
  const windows = client.subscribe('window.v1');
  (async () => { for await (const raw of decisions) { const d = json.decode(raw.data); decided.set(d.device, d); } })();
  (async () => { for await (const raw of windows) window = json.decode(raw.data); })();
  await client.flush();
}

/** The last decision: of the stream, or as the reply to a request. */
async function newcomer(device) {
  while (!decided.has(device)) {
    const ask = message('request.v1', { device });
    try {
      const reply = await client.request(`request.v1.${device}`, json.encode(ask), { timeout: 500 });
      if (!reply.headers?.get('Nats-Service-Error')) decided.set(device, json.decode(reply.data));
    } catch { /* nobody answers yet */ }
    await wait(200);
  }
}

const users = (node) => [...decided.values()].filter((d) => d.node === node).length;

function takes(device, option, node) {
  const [variant, tier] = option.split('@');
  const mean = tier === 'L' ? LOCAL[device][variant] : tier === 'E' ? 5 + 30 * users(node) : 45 + 20 * users(node);
  return mean * (0.9 + 0.2 * Math.random());
}

async function one(device) {
  const decision = decided.get(device);
  const arrived = window;
  const began = performance.now();
  await wait(takes(device, decision.option, decision.node));
  const took = performance.now() - began;
  const outcome = message('outcome.v1', {
    cause: decision.id, device, node: decision.node, assigned: decision.option,
    executed: decision.option, response_ms: took,
    attempts: [{ option: decision.option, node: decision.node, ms: took }],
    window: arrived?.number ?? null, straddled: arrived?.assignment !== window?.assignment,
  });
  reported[device].push(outcome.window);
  await kept(`outcome.v1.${device}`, outcome);
}

async function application(device, until) {
  const running = [];
  while (Date.now() < until) {
    running.push(one(device));
    await wait(PACE[device]);
  }
  await Promise.all(running);
}

await follow();
const nodes = await announce();
const until = Date.now() + 1000 * seconds;
const telemetry = setInterval(() => {
  for (const node of nodes) plain(`telemetry.v1.${node}`, message('telemetry.v1', { node, condition: { cpu: 0.1 } }));
}, 1000);
await Promise.all(Object.keys(LOCAL).map(async (device) => {
  await newcomer(device);
  await application(device, until);
}));
await wait(500);
clearInterval(telemetry);
await client.drain();
console.log(JSON.stringify({ reported, decided: Object.fromEntries(decided) }));
