import { z } from 'zod';
import type { Clock } from '../../clock.js';
import { IncompleteRead } from '../../errors.js';
import type { Logger } from '../../observe.js';
import type { EventSubscription } from '../source.js';
import type { OwnStream } from './own-stream.js';
import { type VerificationStates, verificationEventId } from './states.js';
import type { Stream, StreamApi } from './stream-api.js';

export interface SsfSubscriptionOptions {
  readonly provider: string;
  readonly stream: OwnStream;
  readonly api: StreamApi;
  readonly states: VerificationStates;
  /** How often delivery is proven. */
  readonly verifyMs: number;
  /** How long a verification event may be on its way. */
  readonly patienceMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Kept by the caller between two runs. A state is no secret: it is seen by the transmitter and proves nothing else. */
const storedShape = z.object({
  streamId: z.string(),
  asked: z.object({ state: z.string(), atMs: z.number() }).optional(),
});
type Stored = z.output<typeof storedShape>;
type Asked = NonNullable<Stored['asked']>;

/**
 * Keeps the stream there and enabled, and has the transmitter send a verification event every `verifyMs` (SSF 1.0,
 * section 8.1.4). A stream that is new in the place of another, that was not enabled, or whose verification did not come
 * in `patienceMs`, may have lost events: a gap.
 */
export function createSsfSubscription(options: SsfSubscriptionOptions): EventSubscription {
  const { provider, stream, api, states, verifyMs, patienceMs, clock, logger } = options;
  /** It was stopped, and no renewal came to its end since, to say so: the next finds it enabled. */
  let wasStopped = false;

  return {
    provider,
    async renew(text, signal, hasSeen) {
      const stored = parseStored(text);
      const found = await findRunning(signal);
      const known = stored?.streamId === found.streamId ? stored.asked : undefined;
      const { isSilent, isDue } = await judge(known, periodOf(found), hasSeen);
      const { stream: current, asked } = isDue ? await ask(found, signal) : { stream: found, asked: known };
      const { streamId } = current;
      const isOther = stored !== undefined && stored.streamId !== streamId;
      if (isOther) logger.warn({ provider, streamId }, 'the stream of shared signals was made anew');
      if (isSilent) logger.warn({ provider, streamId }, 'a verification that was asked for did not come');
      const gap = isOther || wasStopped || isSilent;
      wasStopped = false;
      const waited = isDue || asked === undefined ? 0 : clock.now() - asked.atMs;
      // Looked at as soon as it should have come, and then when the next one is due.
      const lookedAtMs = asked !== undefined && waited < patienceMs ? patienceMs : periodOf(current);
      return {
        stored: format({ streamId, ...(asked === undefined ? {} : { asked }) }),
        renewAfterMs: Math.max(1_000, lookedAtMs - waited),
        gap,
      };
    },
  };

  function periodOf({ minVerificationMs }: Stream): number {
    return Math.max(verifyMs, minVerificationMs);
  }

  /** Asks for a verification: of the stream, or of the one in its place where only this shows that it is gone. */
  async function ask(found: Stream, signal: AbortSignal): Promise<{ stream: Stream; asked?: Asked }> {
    const state = states.create();
    const verify = async (stream: Stream) => {
      const outcome = await api.verify(stream.streamId, state, signal);
      return outcome === 'asked' ? { stream, asked: { state, atMs: clock.now() } } : { stream, outcome };
    };
    const first = await verify(found);
    if (first.outcome !== 'gone') return first;
    wasStopped = true;
    stream.forget();
    const second = await verify(await stream.find(signal));
    if (second.outcome !== 'gone') return second;
    const message = `provider ${provider}: the transmitter lists a stream, and verifies none of that name`;
    throw new IncompleteRead('ERR_DIRECTORY_INCOMPLETE', message, { retriable: true });
  }

  /** The stream, enabled; one that is gone is made again. */
  async function findRunning(signal: AbortSignal): Promise<Stream> {
    const found = await stream.find(signal);
    const status = await api.status(found.streamId, signal);
    if (status === undefined || status === 'enabled') return found;
    wasStopped = true;
    if (status === 'gone') {
      stream.forget();
      return stream.find(signal);
    }
    const { streamId } = found;
    logger.warn(
      { provider, streamId, status },
      'the transmitter has stopped its stream; it is asked to go on',
    );
    await api.enable(streamId, signal);
    return found;
  }

  /** A verification that came late, after it was given up, is no second silence. */
  async function judge(
    asked: Asked | undefined,
    periodMs: number,
    hasSeen: (eventId: string) => Promise<boolean>,
  ): Promise<{ readonly isSilent: boolean; readonly isDue: boolean }> {
    if (asked === undefined) return { isSilent: false, isDue: true };
    const waitedMs = clock.now() - asked.atMs;
    if (await hasSeen(verificationEventId(asked.state)))
      return { isSilent: false, isDue: waitedMs >= periodMs };
    const isSilent = waitedMs >= patienceMs;
    return { isSilent, isDue: isSilent };
  }
}

function parseStored(text: string | undefined): Stored | undefined {
  try {
    return storedShape.safeParse(JSON.parse(text ?? 'null')).data;
  } catch {
    return undefined;
  }
}

function format(stored: Stored): string {
  return JSON.stringify(stored);
}
