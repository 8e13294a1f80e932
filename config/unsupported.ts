import { asList, asMap } from './checks.js';
import { type Finding, finding } from './finding.js';

/**
 * The parts of an expanded file that are understood but that this version would not carry out. They are
 * errors: a file that asks for something that is not enforced is refused, not half obeyed.
 */
export function unsupportedParts(file: unknown): Finding[] {
  return [...asList(asMap(asMap(file).guards).freeze).keys()].map((index) =>
    finding(['guards', 'freeze', index], 'freezes are not built yet; write "freeze: []" or remove the key'),
  );
}
