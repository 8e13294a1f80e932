import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { toExpression } from '../../src/model/re2.js';
import { CASES, REFUSED } from './re2-cases.js';

const PROGRAM = fileURLToPath(new URL('../stack/re2/main.go', import.meta.url));

it("Go's RE2 judges every expression on every text in the same way", () => {
  const questions = [...CASES, ...REFUSED.map((regex) => [regex, 'a'])].flatMap(([regex = '', ...texts]) =>
    texts.map((text) => ({ regex, text })),
  );
  const { stdout, stderr, error } = spawnSync('go', ['run', PROGRAM], {
    input: JSON.stringify(questions),
    encoding: 'utf8',
  });
  if (error !== undefined || stderr !== '') throw new Error(`go run: ${stderr}${error?.message ?? ''}`);
  const answers = questions.map(({ regex, text }) => {
    const expression = toExpression(regex);
    return expression === undefined
      ? { regex, text }
      : { regex, text, whole: expression.matches(text), part: expression.isIn(text) };
  });
  expect(answers).toEqual(JSON.parse(stdout));
});
