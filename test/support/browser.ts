/** As much of a browser as a login page without scripts needs: it keeps cookies, follows redirects and sends forms. */
export class Browser {
  readonly #cookies = new Map<string, string>();

  /** The page at the end of the redirects. */
  async open(url: string, form?: Readonly<Record<string, string>>): Promise<Page> {
    const answer = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
    });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      this.#cookies.set(name, value);
    }
    const location = answer.headers.get('location');
    if (location !== null) return this.open(new URL(location, url).href);
    return { url, status: answer.status, text: await answer.text() };
  }

  /** Fills in the page's form and sends it. */
  async submit(page: Page, fields: Readonly<Record<string, string>>): Promise<Page> {
    const [, action] = /<form[^>]*action="([^"]+)"/.exec(page.text) ?? [];
    if (action === undefined) throw new Error(`no form at ${page.url}: ${page.text.slice(0, 500)}`);
    const hidden = [...page.text.matchAll(/<input[^>]*type="hidden"[^>]*>/g)].map(([input]) => [
      /name="([^"]*)"/.exec(input)?.[1] ?? '',
      decoded(/value="([^"]*)"/.exec(input)?.[1] ?? ''),
    ]);
    return this.open(new URL(decoded(action), page.url).href, { ...Object.fromEntries(hidden), ...fields });
  }
}

export interface Page {
  readonly url: string;
  readonly status: number;
  readonly text: string;
}

function decoded(html: string): string {
  return html.replaceAll('&amp;', '&').replaceAll('&quot;', '"');
}
