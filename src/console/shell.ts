import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { packageFile } from '../package-file.js';
import type { LoginRefusal } from './answers.js';
import { PAGES } from './pages.js';

const ASSET = '/assets/:name';

/** The routes of the page. They are no part of the API: they hold no data and need no session. */
export const SHELL_ROUTES: readonly string[] = [...PAGES, ASSET];

/** CONSOLE.md, section 4. Nothing from elsewhere, no text as code, no frame around the page. */
const HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
};

const TYPES: Readonly<Record<string, string>> = {
  css: 'text/css; charset=utf-8',
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
};
interface BuiltFile {
  readonly type: string;
  readonly tag: string;
  readonly plain: Buffer;
  readonly coded: readonly { readonly coding: string; readonly bytes: Buffer }[];
}

/** Answers a login that failed: a browser that shows the answer gets the page, which says why, and everybody else the error. */
export type SendRefused = (
  request: FastifyRequest,
  reply: FastifyReply,
  why: LoginRefusal,
  error: string,
) => FastifyReply;

/** Adds the page. The built files are read and compressed once, here: no request touches the disk. */
export function addShell(
  server: FastifyInstance,
  folder = fileURLToPath(packageFile('dist/console')),
): SendRefused {
  const files = readFiles(folder);
  const shell = files.get('index.html');
  for (const page of PAGES)
    server.get(page, async (request, reply) => {
      if (shell === undefined)
        return reply.code(404).send({ error: 'the console is not built; run npm run build' });
      // Each visit asks whether a new version has come. All other files have names that change with what they are.
      return sendFile(request, reply.header('cache-control', 'no-cache'), shell);
    });
  server.get<{ Params: { name: string } }>(ASSET, async (request, reply) => {
    const file = files.get(request.params.name);
    if (file === undefined || file === shell) return reply.callNotFound();
    return sendFile(request, reply.header('cache-control', 'public, max-age=31536000, immutable'), file);
  });
  return ({ headers }, reply, why, error) => {
    reply.header('cache-control', 'no-store');
    if (shell === undefined || headers.accept?.includes('text/html') !== true) return reply.send({ error });
    // `why` is a word of ours: no text of a request or of an identity provider gets into the document.
    const text = shell.plain.toString().replace('<html', `<html data-refused="${why}"`);
    return reply.headers(HEADERS).type(shell.type).send(text);
  };
}

function sendFile({ headers }: FastifyRequest, reply: FastifyReply, file: BuiltFile): FastifyReply {
  reply.headers(HEADERS).header('etag', file.tag).header('vary', 'accept-encoding');
  if (headers['if-none-match'] === file.tag) return reply.code(304).send();
  const accepted = String(headers['accept-encoding'] ?? '').split(/ *[,;] */);
  const chosen = file.coded.find(({ coding }) => accepted.includes(coding));
  if (chosen !== undefined) reply.header('content-encoding', chosen.coding);
  return reply.type(file.type).send(chosen?.bytes ?? file.plain);
}

function readFiles(folder: string): ReadonlyMap<string, BuiltFile> {
  if (!existsSync(folder)) return new Map();
  const names = readdirSync(folder).filter((name) => name.replace(/.*\./, '') in TYPES);
  return new Map(
    names.map((name) => {
      const plain = readFileSync(join(folder, name));
      // In the order of preference. A higher quality would take tenths of a second.
      const coded = [
        {
          coding: 'br',
          bytes: brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 6 } }),
        },
        { coding: 'gzip', bytes: gzipSync(plain) },
      ];
      const type = TYPES[name.replace(/.*\./, '')] ?? '';
      const tag = `W/"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`;
      return [name, { type, tag, plain, coded }];
    }),
  );
}
