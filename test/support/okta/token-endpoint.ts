import type { KeyObject } from 'node:crypto';
import { randomUUID } from 'node:crypto';
import { jwtVerify } from 'jose';
import type { Wire } from './shapes.js';
import type { AppRecord } from './state.js';

/** Tokens of the org authorization server for its own API. */
export class TokenEndpoint {
  /** Seconds. */
  lifetime = 3600;
  /** Whether the app demands proof of possession, as new service apps do. */
  wantsDpop = false;
  /** Every request, with the outcome. */
  readonly asked: { readonly scope: string; readonly status: number }[] = [];
  readonly #tokens = new Map<string, readonly string[]>();
  readonly #seen = new Set<string>();

  /** All tokens that were given out are worth nothing from now on. */
  revokeAll(): void {
    this.#tokens.clear();
  }

  scopesOf(accessToken: string): readonly string[] | undefined {
    return this.#tokens.get(accessToken);
  }

  /** RFC 7523, section 2.2; what is wrong is answered by RFC 6749, section 5.2. */
  async answer(
    form: URLSearchParams,
    address: string,
    client: { readonly app: AppRecord | undefined; readonly key: KeyObject; readonly keyId: string },
  ): Promise<{ readonly status: number; readonly body: Wire }> {
    const scope = form.get('scope') ?? '';
    const answer = await this.#judge(form, address, client);
    this.asked.push({ scope, status: answer.status });
    return answer;
  }

  async #judge(
    form: URLSearchParams,
    address: string,
    { app, key, keyId }: { app: AppRecord | undefined; key: KeyObject; keyId: string },
  ): Promise<{ status: number; body: Wire }> {
    const scopes = (form.get('scope') ?? '').split(' ').filter((each) => each !== '');
    if (form.get('grant_type') !== 'client_credentials') return refuse('unsupported_grant_type');
    if (form.get('client_assertion_type') !== 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
      return refuse('invalid_client');
    try {
      const { payload, protectedHeader } = await jwtVerify(form.get('client_assertion') ?? '', key, {
        algorithms: ['RS256', 'ES256'],
        issuer: app?.clientId ?? '',
        subject: app?.clientId ?? '',
        audience: `${address}/oauth2/v1/token`,
        maxTokenAge: '1h',
      });
      if (protectedHeader.kid !== keyId) return refuse('invalid_client');
      if (typeof payload.jti !== 'string' || this.#seen.has(payload.jti)) return refuse('invalid_client');
      this.#seen.add(payload.jti);
    } catch {
      return refuse('invalid_client', 401);
    }
    if (app === undefined || app.status !== 'ACTIVE') return refuse('invalid_client', 401);
    if (this.wantsDpop) return refuse('invalid_dpop_proof');
    if (scopes.length === 0 || scopes.some((each) => !app.orgScopes.includes(each)))
      return refuse('invalid_scope');
    const accessToken = randomUUID();
    this.#tokens.set(accessToken, scopes);
    const body = { token_type: 'Bearer', expires_in: this.lifetime, access_token: accessToken };
    return { status: 200, body: { ...body, scope: scopes.join(' ') } };
  }
}

function refuse(error: string, status = 400): { status: number; body: Wire } {
  return { status, body: { error, error_description: 'Refused.' } };
}
