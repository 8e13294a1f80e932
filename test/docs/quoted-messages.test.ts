import { expect, it } from 'vitest';
import { filesIn, PAGES, textOf } from './manual.js';

/** Everything that scopemesh prints or logs, in one line. Every value in a message may be any text. */
const SAID = [
  ...['src', 'workers', 'config'].flatMap((folder) => filesIn(folder, '.ts')),
  ...filesIn('deploy', '.sh'),
]
  .map(textOf)
  .join('\n')
  .replaceAll(/\$\{[^}]*\}/g, '…')
  .replaceAll(/\s+/g, ' ');

/** Messages of other programs. */
const OF_OTHERS = ["error converting claim 'act'"];
/** First words of commands and of what people type. */
const COMMAND = /^(scopemesh|consul|npm|npx|systemctl|sudo|mv|CONFIG|HDEL|kill|…) /;

/** A message is a code span of three words or more that looks like prose. The pages about faults quote names of tests. */
const QUOTED = PAGES.filter((page) => !page.startsWith('docs/faults')).flatMap((page) => {
  const prose = textOf(page)
    .replaceAll(/```.*?```/gs, '')
    .replaceAll(/\n(?!\n)\s*/g, ' ');
  return [...prose.matchAll(/`([a-zA-Z…][^`={}()[\]$\\"@/*|~^+&;<>]*)`/g)]
    .map(([, quote = '']) => quote.trim())
    .filter((quote) => quote.split(' ').length >= 3 && !COMMAND.test(quote) && !/ --?[a-z]/.test(quote))
    .map((quote) => [page, quote] as const);
});

function isSaid(quote: string): boolean {
  if (OF_OTHERS.includes(quote) || SAID.includes(quote)) return true;
  const words = quote.split(' ');
  // A message may begin with a value of a few words.
  if (
    [1, 2, 3].some((count) => words.length >= count + 4 && SAID.includes(`… ${words.slice(count).join(' ')}`))
  )
    return true;
  // A number or a name in the quote is a value in the message, but most of its words are in the message itself.
  const pattern = words.map((word) =>
    word === '…' || /^\d+$/.test(word) ? '\\S+(?: \\S+){0,9}?' : `(?:${word.replaceAll(/[.?]/g, '\\$&')}|…)`,
  );
  return [...SAID.matchAll(new RegExp(pattern.join(' '), 'g'))].some(
    ([found]) => found.split('…').length - 1 <= words.length / 3,
  );
}

it('the manual quotes many messages', () => {
  expect(QUOTED.length).toBeGreaterThan(50);
});

it.each(QUOTED)('%s quotes a message that exists: %s', (_page, quote) => {
  expect(isSaid(quote)).toBe(true);
});

it('a message that nobody prints is noticed', () => {
  expect(isSaid('compared everything with nobody')).toBe(false);
});
