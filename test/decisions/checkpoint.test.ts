import { describe, expect, it } from 'vitest';
import { emptyChain } from '../../src/decisions/chain.js';
import {
  formerLogIn,
  logOfNote,
  openCheckpoint,
  openKept,
  originOf,
} from '../../src/decisions/checkpoint.js';
import { rootOf } from '../../src/decisions/merkle.js';
import { createNoteSigner } from '../../src/decisions/signed-note.js';
import { pem, signer, verifier } from '../support/signed-log.js';

const root = rootOf(emptyChain('one').tree);
const text = (origin = originOf('payments', 'one'), size = '5', hash = root.toString('base64'), more = '') =>
  `${origin}\n${size}\n${hash}\n${more}`;

describe('a signed note', () => {
  it('is a checkpoint of its log', () => {
    const note = signer.sign(text());
    const origin = 'scopemesh/payments/one';
    expect(openCheckpoint([verifier], 'one', note)).toEqual({ origin, size: 5, root });
    expect(openKept([verifier], note)).toEqual({ log: 'one', size: 5, root });
    expect(openCheckpoint([verifier], 'two', note)).toBeUndefined();
    expect(logOfNote(note)).toBe('one');
    expect(logOfNote(`x${note}`)).toBeUndefined();
  });

  it.each([
    ['another owner', text(originOf('other', 'one'))],
    ['an owner whose name is longer', text('scopemesh/payments-eu/one')],
    ['a number with a zero before it', text(undefined, '05')],
    ['something before the number', text(undefined, ' 5')],
    ['something behind the number', text(undefined, '5 ')],
    ['a hash that is too short', text(undefined, '5', root.subarray(1).toString('base64'))],
    ['no line break at its end', text().trimEnd()],
    ['one line', 'scopemesh/payments/one\n'],
  ])('with %s is no checkpoint, though the key signed it', (_, body) => {
    const note = createNoteSigner('scopemesh/payments', pem).sign(body);
    expect(openCheckpoint([verifier], 'one', note)).toBeUndefined();
    expect(openKept([verifier], note)).toBeUndefined();
  });

  it('names the log before it only where the log begins, in what is signed', () => {
    const follows = (size: string) => signer.sign(text(undefined, size, undefined, 'later\nafter zero 7\n'));
    expect(formerLogIn(follows('0'))).toEqual({ log: 'zero', size: 7 });
    expect(formerLogIn(follows('5'))).toBeUndefined();
    expect(formerLogIn(`${signer.sign(text(undefined, '0'))}after zero 7\n`)).toBeUndefined();
    expect(formerLogIn('text')).toBeUndefined();
  });
});
