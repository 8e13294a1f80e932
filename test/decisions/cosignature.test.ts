import { describe, expect, it } from 'vitest';
import { createWitness } from '../../src/decisions/cosignature.js';
import { createNoteVerifier } from '../../src/decisions/signed-note.js';

// Made by github.com/transparency-dev/formats v0.1.1 (note.NewSignerForCosignatureV1).
const WITNESS = 'witness.example.com/w1+8122a5ab+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs';
const SAME_KEY_FOR_NOTES = 'witness.example.com/w1+a7502961+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs';
const LOG = 'scopemesh/payments+c750f87c+Af0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY';
const SIGNED = `scopemesh/payments/one
5
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

\u2014 scopemesh/payments x1D4fOqpT3jY+MDmTM2PAn3qM4pJCr/qyktOT/EHafQ7SVfWNt9enlRE6WU8avcP8NmPE4Xx+gD6fimwkFMPSA28UA4=
`;
const LINE =
  '\u2014 witness.example.com/w1 gSKlqwAAAABrCVaTc052m9f6t4B08I9WYIXbKKJcVpcGfHBXm61wMlU0QV0PX4h0tldPopqbN012eJ4hsFeW/q8MgSir9g04T8sGDw==\n';

describe('a witness', () => {
  it('is believed by a cosignature that another implementation made, which leaves the signature of the log as it is', () => {
    expect(createWitness(WITNESS).cosignedAt(SIGNED + LINE)).toBe('2026-11-27T10:08:19.000Z');
    expect(createWitness(WITNESS).name).toBe('witness.example.com/w1');
    expect(createNoteVerifier(LOG).open(SIGNED + LINE)).toBe(SIGNED.slice(0, SIGNED.indexOf('\n\n') + 1));
  });

  it.each([
    ['without its line', SIGNED],
    ['of another size', SIGNED.replace('\n5\n', '\n6\n') + LINE],
    ['of another time', SIGNED + LINE.replace('AAAABrCVaT', 'AAAABrCVaU')],
    ['with another signature', SIGNED + LINE.replace('sGDw==', 'sGDA==')],
    ['of another name', SIGNED + LINE.replace('/w1', '/w2')],
    ['with half of a time', `${SIGNED}\u2014 witness.example.com/w1 gSKlqwAAAAA=\n`],
    ['that is empty', ''],
  ])('is not believed for a checkpoint %s', (_, note) => {
    expect(createWitness(WITNESS).cosignedAt(note)).toBeUndefined();
  });

  it('has a key of its own kind', () => {
    for (const key of [SAME_KEY_FOR_NOTES, LOG, '', 'x+y+z', WITNESS.replace('8122', '8123')])
      expect(() => createWitness(key)).toThrow('this is not the Ed25519 key of a witness');
    expect(() => createNoteVerifier(WITNESS)).toThrow('the public key is not an Ed25519 key');
  });
});
