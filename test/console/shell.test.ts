import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { addShell } from '../../src/console/shell.js';
import { createHttpServer } from '../../src/daemon/http-server.js';

/** A server with a built page of two files. */
function serve() {
  const folder = mkdtempSync(join(tmpdir(), 'scopemesh-shell-'));
  for (const name of ['index.html', 'main-a1.js']) writeFileSync(join(folder, name), `text of ${name}`);
  writeFileSync(join(folder, 'secret.txt'), 'not for anybody');
  const server = createHttpServer();
  addShell(server, folder);
  return (url: string, headers: Readonly<Record<string, string>> = {}) =>
    server.inject({ method: 'GET', url, headers });
}

it('answers each address of a page with the same document', async () => {
  const get = serve();
  for (const url of [
    '/',
    '/why?from=a&to=b',
    '/services',
    '/services/a%2Fb',
    '/waiting',
    '/waiting/quarantine%3Amain%2Fweb',
    '/clients/main/api%3A%2F%2Fx',
  ]) {
    const answer = await get(url);
    expect(answer.statusCode).toBe(200);
    expect(answer.body).toBe('text of index.html');
    expect(answer.headers['cache-control']).toBe('no-cache');
    expect(answer.headers['content-type']).toBe('text/html; charset=utf-8');
  }
});

it('lets a browser keep the files whose names change, and no other file', async () => {
  const get = serve();
  const { headers, body } = await get('/assets/main-a1.js');
  expect(headers['cache-control']).toBe('public, max-age=31536000, immutable');
  expect(body).toBe('text of main-a1.js');
  const others = ['main.js', 'index.html', 'secret.txt', '..%2F..%2Fpackage.json'];
  for (const name of others) expect((await get(`/assets/${name}`)).statusCode, name).toBe(404);
});

it('sends the smallest form that the browser accepts', async () => {
  const get = serve();
  for (const [accepted, coding, decode] of [
    ['gzip, deflate, br, zstd', 'br', brotliDecompressSync],
    ['gzip;q=1.0, identity', 'gzip', gunzipSync],
    ['identity', undefined, (bytes: Buffer) => bytes],
  ] as const) {
    const { headers, rawPayload } = await get('/assets/main-a1.js', { 'accept-encoding': accepted });
    expect(headers['content-encoding']).toBe(coding);
    expect(decode(rawPayload).toString()).toBe('text of main-a1.js');
  }
});

it('does not send the document again that the browser has', async () => {
  const get = serve();
  const { etag } = (await get('/')).headers;
  const second = await get('/', { 'if-none-match': String(etag) });
  expect(second.statusCode).toBe(304);
  expect(second.body).toBe('');
});

it('forbids everything from elsewhere, frames and text as code', async () => {
  const { headers } = await serve()('/');
  const policy = String(headers['content-security-policy']);
  for (const rule of ["default-src 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"])
    expect(policy).toContain(rule);
  expect(policy).not.toMatch(/unsafe|\*|https?:/);
  expect(headers['x-content-type-options']).toBe('nosniff');
  expect(headers['referrer-policy']).toBe('no-referrer');
  expect(headers['cross-origin-opener-policy']).toBe('same-origin');
});

it('says how to build the page if there is none', async () => {
  const server = createHttpServer();
  addShell(server, join(tmpdir(), 'scopemesh-no-such-folder'));
  const answer = await server.inject({ method: 'GET', url: '/' });
  expect(answer.statusCode).toBe(404);
  expect(answer.json()).toEqual({ error: 'the console is not built; run npm run build' });
});

it('no two animations have one name: the later one would be played for both', () => {
  const style = new URL('../../src/console/page/style/', import.meta.url);
  const names = readdirSync(style).flatMap((file) =>
    [...readFileSync(new URL(file, style), 'utf8').matchAll(/@keyframes ([\w-]+)/g)].map(([, name]) => name),
  );
  expect(names.length).toBeGreaterThan(2);
  expect(new Set(names).size).toBe(names.length);
});
