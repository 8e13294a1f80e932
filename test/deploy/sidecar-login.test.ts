import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const script = fileURLToPath(new URL('../../deploy/sidecar-login.sh', import.meta.url));

const SECONDS_PER_LOOK = 11;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'scopemesh-sidecar-'));
  mkdirSync(join(directory, 'bin'));
  writeFileSync(join(directory, 'web.hcl'), '');
  program('consul', '[ "$1 $2" != "connect envoy" ] || exec tail -f /dev/null');
  program('envoy', ':');
  // Time passes with each look at the clock, and no pause takes any.
  program('date', `echo x >> "$0.count"; echo $(( 10000000 + $(wc -l < "$0.count") * ${SECONDS_PER_LOOK} ))`);
  program('sleep', ':');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function program(name: string, text: string): void {
  const file = join(directory, 'bin', name);
  writeFileSync(file, `#!/bin/sh\n${text}\n`);
  chmodSync(file, 0o755);
}

/** Runs until it ends, or says `enough`. */
async function run(
  changes: Readonly<Record<string, string | undefined>> = {},
  enough = '\0',
  file = join(directory, 'web.hcl'),
): Promise<{ readonly status: number | null; readonly said: string }> {
  const child = spawn('sh', [script, 'web', file, '-admin-bind', '127.0.0.1:19005'], {
    env: {
      PATH: `${join(directory, 'bin')}:/usr/bin:/bin`,
      TMPDIR: directory,
      AUTH_METHOD: 'sso',
      ACCESS_TOKEN_COMMAND: 'echo token',
      RENEW_SECONDS: '1000000',
      CHECK_SECONDS: '1000000',
      ...changes,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
    if (said.includes(enough)) child.kill('SIGTERM');
  });
  const status = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { status, said };
}

describe('sidecar-login.sh', () => {
  it.each([
    ['AUTH_METHOD is missing', { AUTH_METHOD: undefined }, 'set AUTH_METHOD to what'],
    ['the command is missing', { ACCESS_TOKEN_COMMAND: undefined }, 'set ACCESS_TOKEN_COMMAND to a command'],
    ['RENEW_SECONDS is no number', { RENEW_SECONDS: '40m' }, 'set RENEW_SECONDS to a number'],
  ])('starts nothing and says what to set if %s', async (_, changes, text) => {
    expect(await run(changes)).toEqual({ status: 2, said: expect.stringContaining(text) });
  });

  it('says which file and which program is missing', async () => {
    const noFile = await run({}, undefined, join(directory, 'gone.hcl'));
    expect(noFile).toEqual({ status: 2, said: expect.stringContaining('gone.hcl cannot be read') });
    rmSync(join(directory, 'bin', 'envoy'));
    const noEnvoy = await run();
    expect(noEnvoy).toEqual({
      status: 2,
      said: expect.stringContaining("there is no Envoy at 'envoy'; install Envoy"),
    });
  });

  it.each([
    [
      'the identity provider does not answer',
      { ACCESS_TOKEN_COMMAND: 'exit 7' },
      'ACCESS_TOKEN_COMMAND failed',
    ],
    ['it prints no token', { ACCESS_TOKEN_COMMAND: 'true' }, 'ACCESS_TOKEN_COMMAND printed no token'],
  ])('stops and says so if %s', async (_, changes, text) => {
    const { status, said } = await run(changes);
    expect([status, said]).toEqual([1, expect.stringContaining(text)]);
    expect(said).toContain('web has no live token, so its Envoy stops');
  });

  it('asks a failing identity provider again only after a pause, and stops at the end of the token', async () => {
    const looks = join(directory, 'bin', 'date.count');
    const asked = join(directory, 'asked');
    const { status, said } = await run({
      RENEW_SECONDS: '400',
      ACCESS_TOKEN_COMMAND: `wc -l <${looks} >>${asked}; [ "$(wc -l <${asked})" = 1 ] && echo token`,
    });
    expect([status, said]).toEqual([1, expect.stringContaining('again in 20 seconds')]);
    expect(said).toContain('web has no live token, so its Envoy stops');
    const [first = 0, ...rest] = readFileSync(asked, 'utf8')
      .trim()
      .split('\n')
      .map((count) => Number(count) * SECONDS_PER_LOOK);
    // The last time is the end of the token, pause or not.
    const retries = rest.slice(0, -1);
    expect(retries.length).toBeGreaterThan(3);
    for (const [at, when] of retries.entries())
      if (at > 0) expect(when - (retries[at - 1] ?? 0)).toBeGreaterThanOrEqual(20);
    expect((rest.at(-1) ?? 0) - first).toBeLessThan(700);
  });

  it.each([
    ['refuses the login', 'login', 'the login by sso failed'],
    ['refuses the registration', 'services', 'the registration of web failed'],
  ])('shows what Consul answered and what to check if Consul %s', async (_, command, text) => {
    program('consul', `[ "$1" != ${command} ] || { echo 'Permission denied' >&2; exit 1; }`);
    const { status, said } = await run();
    expect([status, said]).toEqual([1, expect.stringContaining(text)]);
    expect(said).toContain('Permission denied');
    expect(said).toContain('scopemesh explain --client');
  });

  it('says once that its Envoy does not reach the gRPC port of Consul', async () => {
    program('curl', 'case "$*" in *127.0.0.1:19005*) echo "control_plane.connected_state: 0" ;; esac');
    const { said } = await run({}, 'name it with -grpc-addr');
    expect(said).toContain(
      'the Envoy of web has no connection to Consul: check that the agent has a gRPC port',
    );
  });

  it('says that its Envoy has ended', async () => {
    program('consul', '[ "$1 $2" != "connect envoy" ] || { echo "bind: in use" >&2; exit 1; }');
    const { status, said } = await run();
    expect([status, said]).toEqual([1, expect.stringContaining('the Envoy of web has ended')]);
    expect(said).toContain('bind: in use');
  });
});
