import { expect, it } from 'vitest';
import { freePort } from '../../stack/ports.js';
import { createCommandLine } from '../../support/command-line.js';
import { until } from '../../support/until.js';

it('prints an address whose code signs in once at the running daemon', async () => {
  const cli = createCommandLine();
  const stop = new AbortController();
  try {
    cli.idp();
    const origin = `http://127.0.0.1:${await freePort()}`;
    cli.configure({ http: { listen: origin.slice('http://'.length) } });
    const alone = await cli.run(['console', '--no-open']);
    expect(alone.err).toContain('no daemon of this configuration answers');
    const running = cli.run(['--log-level', 'error', 'run'], { signal: stop.signal });
    await until('the daemon answers', () =>
      fetch(`${origin}/statusz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    const printed = await cli.run(['console', '--json'], { user: 'ana' });
    const [, code] = /^http:\/\/127\.0\.0\.1:\d+\/#code=([\w-]{22})$/.exec(String(printed.json().url)) ?? [];
    const signIn = () =>
      fetch(`${origin}/api/session`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin, 'sec-fetch-site': 'same-origin' },
        body: JSON.stringify({ code }),
      });
    const answer = await signIn();
    expect(answer.status).toBe(201);
    expect(await answer.json()).toMatchObject({
      session: { person: { id: 'local', name: 'ana' }, instance: { name: 'payments', mode: 'enforce' } },
    });
    expect((await signIn()).status).toBe(401);
    stop.abort(new Error('stopped by a signal'));
    await running;
  } finally {
    cli.close();
  }
});
