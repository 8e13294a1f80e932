import fc from 'fast-check';

/**
 * Every character of Unicode: `unit` of `fc.string`. The unit `binary` has the same ones, and takes a second and 100 MB to
 * build a table of them for its shrinking.
 */
export const anyCharacter = fc
  .integer({ min: 0, max: 0x10_ffff - 0x800 })
  // Without the surrogates, which are no characters.
  .map((at) => String.fromCodePoint(at < 0xd800 ? at : at + 0x800));
