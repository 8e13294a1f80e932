import { batch, signal } from '@preact/signals';
import type { Fault, Status } from '../answers.js';
import { ApiFault, read, request } from './api.js';
import { readEvents, retryWaitMs } from './read-events.js';
import { signIn } from './session.js';

/** Whether the page follows what happens. `since`: what it shows is of this instant. */
export type Live =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  | { readonly kind: 'paused'; readonly since: number; readonly why: string };

export const live = signal<Live>({ kind: 'connecting' });
/** The state of the daemon, on each page. Undefined until it was read. */
export const status = signal<Status | undefined>(undefined);
/** Why `status` cannot be read. */
export const statusFault = signal<ApiFault | undefined>(undefined);
/** Grows with each batch of decisions: what was read before may be old. */
export const changes = signal(0);
/** Grows each time a report of evidence went on. */
export const jobChanges = signal(0);

/** A stream that says nothing for this long is dead: the daemon sends a comment every 15 s. */
const SILENCE_MS = 40_000;

/** Follows the daemon as long as a person is signed in and the tab can be seen. */
export async function followLive(): Promise<void> {
  let after: string | undefined;
  let failures = 0;
  for (;;) {
    await untilWatched();
    try {
      after = (await readStatus()) ?? after;
      await readStream(after, (id) => {
        failures = 0;
        after = id ?? after;
      });
    } catch (error) {
      const fault = error instanceof ApiFault ? error : undefined;
      if (fault !== undefined && fault.status !== 401) statusFault.value = fault;
      pause(fault?.message ?? 'the connection ended');
    }
    if (document.hidden) continue;
    await wait(retryWaitMs(failures++, Math.random()));
  }
}

/** Resolves with the last decision that the status knows. All that happens after it comes by the stream. */
async function readStatus(): Promise<string | undefined> {
  const answer = await read('/api/status', {});
  batch(() => {
    status.value = answer;
    statusFault.value = undefined;
    changes.value += 1;
    jobChanges.value += 1;
  });
  return answer.asOf.decision ?? undefined;
}

/** Throws if another replica leads: a new stream reaches that one. */
function showStatus(said: Status | Fault): void {
  if ('asOf' in said) status.value = said;
  statusFault.value = 'asOf' in said ? undefined : new ApiFault(503, said.code ?? '', said.error);
  if (!('asOf' in said) && typeof said.leader === 'string') throw statusFault.value;
}

/** Resolves if the tab is hidden, or the stream ends. */
async function readStream(after: string | undefined, alive: (id: string | undefined) => void): Promise<void> {
  const stop = new AbortController();
  const hide = () => document.hidden && stop.abort();
  document.addEventListener('visibilitychange', hide);
  let silence: ReturnType<typeof setTimeout> | undefined;
  const listen = () => {
    clearTimeout(silence);
    silence = setTimeout(() => stop.abort(), SILENCE_MS);
  };
  try {
    const query = after === undefined ? {} : { after };
    const { body } = await request('/api/stream', { query, signal: stop.signal });
    if (body === null) return;
    live.value = { kind: 'live' };
    for await (const { kind, id, text } of readEvents(heard(body, listen))) {
      alive(id);
      if (kind === 'status') showStatus(JSON.parse(text) as Status | Fault);
      if (kind === 'jobs') jobChanges.value += 1;
      // After `resync` some decisions are left out, and the pages ask again in any case.
      if (kind === 'decisions' || kind === 'resync') changes.value += 1;
    }
    pause('the daemon ended the stream');
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    if (!document.hidden) pause('the daemon went silent');
  } finally {
    clearTimeout(silence);
    document.removeEventListener('visibilitychange', hide);
    stop.abort();
  }
}

async function* heard(body: ReadableStream<Uint8Array>, listen: () => void): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  listen();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    listen();
    yield value;
  }
}

function pause(why: string): void {
  if (live.value.kind !== 'paused') live.value = { kind: 'paused', since: Date.now(), why };
}

/** Resolves once a person is signed in and sees the tab: a hidden tab holds none of the browser's few connections. */
function untilWatched(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = () => {
    if (document.hidden || signIn.value.kind !== 'in') return;
    document.removeEventListener('visibilitychange', look);
    resolve();
  };
  document.addEventListener('visibilitychange', look);
  const stop = signIn.subscribe(look);
  return promise.finally(stop);
}

function wait(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setTimeout(resolve, ms);
  return promise;
}
