// The event stream: the full state, then numbered deltas. A missing number causes a reconnect.
import { applyDelta, replaceState } from './state.js';

const STREAM_TIMEOUT_MS = 7000; // The service sends something every five seconds at least.
const RECONNECT_DELAY_MS = 1500;

/** Follow the stream; calls `onStatus` with `live` or `lost`. */
export function follow(onStatus) {
  let source = null;
  let number = null;
  let lastEvent = performance.now();

  function open() {
    source?.close();
    number = null;
    lastEvent = performance.now();
    source = new EventSource('events');
    source.addEventListener('whole', (event) => {
      replaceState(JSON.parse(event.data));
      number = Number(event.lastEventId);
      onEvent();
    });
    source.addEventListener('delta', (event) => {
      const next = Number(event.lastEventId);
      if (number === null || next > number + 1) return open(); // An event was lost.
      if (next <= number) return undefined; // Already part of the full state.
      number = next;
      applyDelta(JSON.parse(event.data));
      return onEvent();
    });
    source.onerror = () => {
      onStatus('lost');
      number = null;
      if (source.readyState === EventSource.CLOSED) setTimeout(open, RECONNECT_DELAY_MS);
    };
  }

  function onEvent() {
    lastEvent = performance.now();
    onStatus('live');
  }

  setInterval(() => {
    if (performance.now() - lastEvent > STREAM_TIMEOUT_MS) {
      onStatus('lost');
      open();
    }
  }, 1000);
  open();
}
