import { once } from 'node:events';
import { type IncomingMessage, request as send } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Page {
  readonly status: number;
  readonly location: string;
  readonly cookies: readonly string[];
  readonly body: string;
}

export interface Asked {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** One request, which follows no redirect. Any `Host` may be sent. */
export async function ask(
  address: string,
  { method = 'GET', headers = {}, body }: Asked = {},
): Promise<Page> {
  const sent = send(address, { method, headers, agent: false });
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  return {
    status: answer.statusCode ?? 0,
    location: answer.headers.location ?? '',
    cookies: answer.headers['set-cookie'] ?? [],
    body: await text(answer),
  };
}

/** The cookies of one origin. */
export class Jar {
  readonly #cookies = new Map<string, string>();

  take({ cookies }: Page): void {
    for (const cookie of cookies) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value === '' || /max-age=0|expires=Thu, 01 Jan 1970/i.test(cookie)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
  }

  get header(): Readonly<Record<string, string>> {
    if (this.#cookies.size === 0) return {};
    return { cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
  }
}

/** Follows the redirects of an identity provider, with its cookies, until it asks something or sends the browser away. */
export async function follow(address: string, jar: Jar, asked: Asked = {}): Promise<Page & { at: string }> {
  const { origin } = new URL(address);
  let at = address;
  let next = asked;
  for (;;) {
    const page = await ask(at, { ...next, headers: { ...next.headers, ...jar.header } });
    jar.take(page);
    const to = page.location === '' ? '' : new URL(page.location, at).href;
    if (!to.startsWith(`${origin}/`)) return { ...page, location: to, at };
    at = to;
    next = {};
  }
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

/** Chooses a person on the page of the embedded identity provider. Resolves with the address to which it sends the browser. */
export async function choose(address: string, subject: string, jar: Jar): Promise<string> {
  const page = await follow(address, jar);
  const [, action = ''] = /action="([^"]+)"/.exec(page.body) ?? [];
  if (action === '') return page.location;
  const body = new URLSearchParams({ subject }).toString();
  const target = new URL(action, page.at).href;
  return (await follow(target, jar, { method: 'POST', headers: FORM, body })).location;
}
