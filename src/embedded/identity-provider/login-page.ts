import type { RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Provider } from 'oidc-provider';
import type { PersonStore } from './person-store.js';

const PATH = '/interaction/';

export function isLoginPage(url: string): boolean {
  return url.startsWith(PATH);
}

export function loginPageOf(uid: string): string {
  return `${PATH}${uid}`;
}

/** The page on which one chooses who one is. There are no passwords: this server is for demos and tests. */
export function createLoginPage(
  provider: Pick<Provider, 'interactionDetails' | 'interactionFinished'>,
  people: Pick<PersonStore, 'list' | 'get'>,
): RequestListener {
  return async (request, response) => {
    try {
      const { uid } = await provider.interactionDetails(request, response);
      if (request.method === 'POST') {
        const subject = new URLSearchParams(await text(request)).get('subject') ?? '';
        if (people.get(subject)?.enabled === true)
          return await provider.interactionFinished(request, response, { login: { accountId: subject } });
      }
      const buttons = people
        .list()
        .filter(({ enabled }) => enabled)
        .map(
          ({ subject, groups }) =>
            `<p><button name="subject" value="${escaped(subject)}">${escaped(subject)}</button> ${escaped(groups.join(', '))}</p>`,
        );
      response.writeHead(200, {
        'content-type': 'text/html; charset=utf-8',
        'cache-control': 'no-store',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      });
      response.end(
        `<!doctype html><title>Sign in</title><h1>Who are you?</h1><form method="post" action="${loginPageOf(uid)}">${buttons.join('')}</form>\n`,
      );
    } catch {
      response.writeHead(400, { 'content-type': 'text/plain' });
      response.end('this login is over; begin it again\n');
    }
  };
}

function escaped(raw: string): string {
  return raw.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
