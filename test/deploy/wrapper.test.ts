import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

/** Runs `deploy/scopemesh` over a program that prints what it was given. */
function run(environment: string, { user = userInfo().username, args = ['holds'] } = {}) {
  const home = mkdtempSync(join(tmpdir(), 'scopemesh-wrapper-'));
  // Another user has to reach the program.
  for (const folder of [tmpdir(), home])
    if ((statSync(folder).mode & 0o777) === 0o700) chmodSync(folder, 0o755);
  mkdirSync(join(home, 'dist/workers'), { recursive: true });
  writeFileSync(
    join(home, 'dist/workers/main.js'),
    'console.log(JSON.stringify({ args: process.argv.slice(2), env: process.env, uid: process.getuid() }))',
  );
  const file = join(home, 'environment');
  writeFileSync(file, environment);
  const { status, stdout, stderr } = spawnSync('deploy/scopemesh', args, {
    encoding: 'utf8',
    env: {
      PATH: `${join(process.execPath, '..')}:${process.env.PATH}`,
      SCOPEMESH_HOME: home,
      SCOPEMESH_ENVIRONMENT: file,
      SCOPEMESH_USER: user,
    },
  });
  return { home, status, stderr, ...(status === 0 ? JSON.parse(stdout) : {}) };
}

it('gives the program the environment of the unit as systemd reads it, and executes none of it', () => {
  const { home, status, env, args } = run(
    [
      '# the secrets',
      '; of the unit',
      '',
      'PLAIN=a b  c',
      'QUOTED="it\'s $HOME"',
      "SINGLE='two words'",
      'EVIL=$(touch pwned)`touch pwned`; touch pwned',
      'EQUALS=a=b=c',
      'LAST=without a line break',
    ].join('\n'),
    { args: ['approve', 'main/a b', '--reason', 'x;y'] },
  );
  expect(status).toBe(0);
  expect(args).toEqual(['approve', 'main/a b', '--reason', 'x;y']);
  expect(env).toMatchObject({
    PLAIN: 'a b  c',
    QUOTED: "it's $HOME",
    SINGLE: 'two words',
    EVIL: '$(touch pwned)`touch pwned`; touch pwned',
    EQUALS: 'a=b=c',
    LAST: 'without a line break',
    SCOPEMESH_CONFIG: '/etc/scopemesh/scopemesh.yaml',
  });
  expect([existsSync('pwned'), existsSync(join(home, 'pwned'))]).toEqual([false, false]);
});

it.each([
  ['export A=b', ':1: write NAME=value'],
  ['A=b\n-x', ':2: write NAME=value'],
  ['A=b\\\nc', ':1: a line that ends with a backslash is not supported'],
])('refuses the line %j with its place and the remedy', (environment, message) => {
  const { status, stderr } = run(environment);
  expect(status).toBe(1);
  expect(stderr).toContain(message);
});

it('names the user that is missing', () => {
  const { status, stderr } = run('', { user: 'nobody-has-this-name' });
  expect([status, stderr]).toEqual([1, expect.stringContaining("there is no user 'nobody-has-this-name'")]);
});

it.runIf(process.getuid?.() === 0)('runs the program as the user of the unit, with its groups', () => {
  const { status, uid, env } = run('A=b', { user: 'nobody' });
  expect(status).toBe(0);
  expect(uid).toBe(Number(spawnSync('id', ['-u', 'nobody'], { encoding: 'utf8' }).stdout));
  expect(env).toMatchObject({ A: 'b' });
});
