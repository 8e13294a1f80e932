/**
 * A name as a hostile client or service may have it: escape sequences in seven and eight bits, text that runs backwards, and
 * a line separator that is not a newline.
 */
export const HOSTILE_NAME = 'a\u001b[2J\u009b2J\u202e\u2028\u007f\u{e0041}b';

/** A character that a terminal or an editor obeys instead of showing it. */
export const ACTIVE_CHARACTER =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not be there.
  /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]|\p{Cf}|\p{Zl}|\p{Zp}/u;
