/**
 * Characters that change how the text around them is shown, or that show nothing: controls, marks of direction, spaces
 * that look like others or have no width, variation selectors, halves of a pair. With one a name can look like another.
 */
const HIDDEN = /(?! )[\p{Cc}\p{Cf}\p{Cs}\p{Z}\p{Default_Ignorable_Code_Point}]/gu;

/** A text from outside, in which nothing is hidden: `pay[U+202E]orders`. */
export function cleanText(text: string): string {
  return text.replace(HIDDEN, (hidden) => {
    const code = (hidden.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return `[U+${code}]`;
  });
}

/** A text of at most this many characters. The middle goes, as names differ at their ends. */
export function cutMiddle(text: string, most: number): string {
  const characters = [...text];
  if (characters.length <= most) return text;
  const head = Math.ceil((most - 1) / 2);
  return `${characters.slice(0, head).join('')}…${characters.slice(characters.length - (most - 1 - head)).join('')}`;
}
