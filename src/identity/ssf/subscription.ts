import { z } from 'zod';
import { incomplete } from '../read-errors.js';
import { parseStored } from '../records.js';
import type { EventSubscription } from '../source.js';
import type { SsfOptions } from './options.js';
import type { OwnStream } from './own-stream.js';
import { type VerificationStates, verificationEventId } from './states.js';
import type { Stream, StreamApi } from './stream-api.js';

interface SsfSubscriptionOptions extends Pick<SsfOptions, 'provider' | 'verifyMs' | 'clock' | 'logger'> {
  readonly stream: OwnStream;
  readonly api: StreamApi;
  readonly states: VerificationStates;
  /** The longest time until a verification event arrives. */
  readonly verificationTimeoutMs: number;
}

/** Kept by the caller. A state is no secret: the transmitter sees it, and it proves nothing else. */
const STORED = z.object({
  streamId: z.string(),
  asked: z.object({ state: z.string(), atMs: z.number() }).optional(),
});
type Verification = NonNullable<z.output<typeof STORED>['asked']>;

/**
 * Keeps the stream existing and enabled, and requests a verification event every `verifyMs` (SSF 1.0, section 8.1.4). Events
 * may be lost (a gap) if the stream replaces another, if it was not enabled, or if its verification did not arrive in time.
 */
export function createSsfSubscription(options: SsfSubscriptionOptions): EventSubscription {
  const { provider, stream, api, states, verifyMs, verificationTimeoutMs, clock, logger } = options;
  /** The stream was stopped, and no renewal has completed since to report it. */
  let wasStopped = false;

  return {
    provider,
    async renew(text, signal, hasSeen) {
      const stored = parseStored(STORED, text);
      const found = await findRunning(signal);
      const known = stored?.streamId === found.streamId ? stored.asked : undefined;
      const { isSilent, isDue } = await check(known, periodOf(found), hasSeen);
      const { stream: current, asked } = isDue
        ? await request(found, signal)
        : { stream: found, asked: known };
      const { streamId } = current;
      const isOther = stored !== undefined && stored.streamId !== streamId;
      if (isOther) logger.warn({ provider, streamId }, 'the stream of shared signals was created again');
      if (isSilent)
        logger.warn({ provider, streamId }, 'a requested verification of the stream did not arrive');
      const gap = isOther || wasStopped || isSilent;
      wasStopped = false;
      const waitedMs = isDue || asked === undefined ? 0 : clock.now() - asked.atMs;
      // The next check is when the verification should have arrived, and then when the next one is due.
      const checkAtMs =
        asked !== undefined && waitedMs < verificationTimeoutMs ? verificationTimeoutMs : periodOf(current);
      return {
        stored: JSON.stringify({ streamId, ...(asked === undefined ? {} : { asked }) }),
        renewAfterMs: Math.max(1_000, checkAtMs - waitedMs),
        gap,
      };
    },
  };

  function periodOf({ minVerificationMs }: Stream): number {
    return Math.max(verifyMs, minVerificationMs);
  }

  /** Requests a verification of the stream, or of its replacement if only this request shows that it is gone. */
  async function request(
    found: Stream,
    signal: AbortSignal,
  ): Promise<{ stream: Stream; asked?: Verification }> {
    const state = states.create();
    const verify = async (stream: Stream) => {
      const outcome = await api.verify(stream.streamId, state, signal);
      return outcome === 'requested' ? { stream, asked: { state, atMs: clock.now() } } : { stream, outcome };
    };
    const first = await verify(found);
    if (first.outcome !== 'gone') return first;
    wasStopped = true;
    stream.forget();
    const second = await verify(await stream.find(signal));
    if (second.outcome !== 'gone') return second;
    throw incomplete(`provider ${provider}`, 'the transmitter lists a stream, but cannot verify it');
  }

  /** The stream, enabled. If it is gone, it is created again. */
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
      'the transmitter has stopped the stream; scopemesh asks it to start the stream again',
    );
    await api.enable(streamId, signal);
    return found;
  }

  /** A verification that arrives after its timeout is not a second silence. */
  async function check(
    asked: Verification | undefined,
    periodMs: number,
    hasSeen: (eventId: string) => Promise<boolean>,
  ): Promise<{ readonly isSilent: boolean; readonly isDue: boolean }> {
    if (asked === undefined) return { isSilent: false, isDue: true };
    const waitedMs = clock.now() - asked.atMs;
    if (await hasSeen(verificationEventId(asked.state)))
      return { isSilent: false, isDue: waitedMs >= periodMs };
    const isSilent = waitedMs >= verificationTimeoutMs;
    return { isSilent, isDue: isSilent };
  }
}
