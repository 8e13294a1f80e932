import { compareText } from '../../model/compare-text.js';
import { all, type ChangeGuard, NONE } from './guard.js';

/**
 * The largest body of an entry that may grow. Consul has no limit (1.14.11 accepted 45 MB), but it applies an entry as one
 * Raft message, warns from 1 MiB on, and delays every other write by about 0.1 s per MiB.
 */
export const MAX_ENTRY_BYTES = 2 * 1024 * 1024;

/**
 * Holds widening changes that would make an entry too large: as few as possible, the last by subject first. Other changes
 * pass at any size.
 */
export const entrySize: ChangeGuard = ({ changes, sizeAfter }) => {
  const widening = changes
    .filter(({ widens }) => widens)
    .toSorted((a, b) => compareText(a.subject, b.subject));
  if (sizeAfter === undefined || widening.length === 0) return NONE;
  const fits = (some: typeof changes) => sizeAfter(some) <= MAX_ENTRY_BYTES;
  if (fits(changes)) return NONE;
  const others = changes.filter(({ widens }) => !widens);
  // The most that fit: an entry grows with each of them.
  let [most, tooMany] = [0, widening.length];
  while (tooMany - most > 1) {
    const middle = Math.floor((most + tooMany) / 2);
    if (fits([...others, ...widening.slice(0, middle)])) most = middle;
    else tooMany = middle;
  }
  const detail =
    'the entry of this destination would be too large for Consul; give fewer clients access to it, or split the service';
  return all(widening.slice(most), { do: 'hold-widening', reason: 'EntryTooLarge', detail });
};
