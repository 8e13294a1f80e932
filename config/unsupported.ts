import { asList, asMap } from './checks.js';
import { type Finding, finding } from './finding.js';

/**
 * The parts of an expanded file that this version does not support yet. They are errors: a file with a setting that would
 * not be enforced is refused.
 */
export function unsupportedParts(file: unknown): Finding[] {
  return [...asList(asMap(asMap(file).guards).freeze).keys()].map((index) =>
    finding(['guards', 'freeze', index], 'freezes are not built yet; write "freeze: []" or remove the key'),
  );
}
