import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { JAVA_OPTIONS } from './java.js';

const here = fileURLToPath(new URL('.', import.meta.url));

it('install.sh prepares Kafka with the options that the tests run it with', () => {
  const script = readFileSync(`${here}/install.sh`, 'utf8');
  const [line = ''] = /^java_options\(\).*$/m.exec(script) ?? [];
  const said = execFileSync('bash', ['-c', `here="$1"; ${line}; java_options`, '-', here], {
    encoding: 'utf8',
  });
  expect(said.split('\n').filter((each) => each !== '')).toEqual(JAVA_OPTIONS);
  expect(script).toContain('done < <(java_options)');
});
