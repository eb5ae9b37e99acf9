// The live stream: a whole picture, then numbered deltas; whoever misses a number starts anew.
import { delta, whole } from './store.js';

const SILENCE = 7000; // Milliseconds; the service says something every five seconds at least.
const RETRY = 1500;

/** Follow the stream for ever; `tell` hears `live` or `lost`. */
export function follow(tell) {
  let source = null;
  let number = null;
  let heard = performance.now();

  function open() {
    source?.close();
    number = null;
    heard = performance.now();
    source = new EventSource('events');
    source.addEventListener('whole', (said) => {
      whole(JSON.parse(said.data));
      number = Number(said.lastEventId);
      alive();
    });
    source.addEventListener('delta', (said) => {
      const next = Number(said.lastEventId);
      if (number === null || next > number + 1) return open(); // Something was lost.
      if (next <= number) return undefined; // Already part of the whole.
      number = next;
      delta(JSON.parse(said.data));
      return alive();
    });
    source.onerror = () => {
      tell('lost');
      number = null;
      if (source.readyState === EventSource.CLOSED) setTimeout(open, RETRY);
    };
  }

  function alive() {
    heard = performance.now();
    tell('live');
  }

  setInterval(() => {
    if (performance.now() - heard > SILENCE) {
      tell('lost');
      open();
    }
  }, 1000);
  open();
}
