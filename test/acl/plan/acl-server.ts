import { exportSPKI, generateKeyPair, SignJWT } from 'jose';
import type { DesiredAcl } from '../../../src/acl/plan/login.js';
import type { AclAuthMethod, AclBindingRule, AclRole } from '../../../src/model/acl.js';
import type { AclSettings } from '../../../src/model/login.js';
import { ConsulAnswer, type ConsulHandle, startConsul } from '../../stack/consul.js';
import { ISSUER, loginProvider, settings } from './acl-scene.js';

export interface Question {
  readonly resource: string;
  readonly access: string;
  readonly segment: string;
}

/** A real Consul that believes the tokens signed here. */
export interface AclServer {
  readonly consul: ConsulHandle;
  /** By which auth methods have its key. */
  readonly settings: AclSettings;
  put(desired: DesiredAcl): Promise<void>;
  /** With the auth methods go their rules and tokens. */
  remove(desired: DesiredAcl): Promise<void>;
  /** The secret of a login's token and its roles; undefined where Consul refuses it. */
  login(
    method: string,
    claims: Readonly<Record<string, unknown>>,
  ): Promise<{ readonly secret: string; readonly roles: readonly string[] } | undefined>;
  /** What Consul itself says that a token may do, in the order asked. */
  authorized(secret: string, asked: readonly Question[]): Promise<readonly boolean[]>;
}

export async function startAclServer(): Promise<AclServer> {
  const consul = await startConsul();
  const pair = await generateKeyPair('RS256', { extractable: true });
  const publicKey = await exportSPKI(pair.publicKey);
  const sign = (claims: Readonly<Record<string, unknown>>) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256' })
      .setIssuer(ISSUER)
      .setAudience('consul')
      .setIssuedAt()
      .setExpirationTime('5m')
      .sign(pair.privateKey);
  return {
    consul,
    settings: settings({
      providers: new Map([['main', loginProvider({ keys: { validationPubKeys: [publicKey] } })]]),
    }),
    async put(desired) {
      for (const { name, description, rules } of desired.policies)
        await consul
          .request('PUT', '/v1/acl/policy', { Name: name, Description: description, Rules: rules })
          .catch((error: unknown) => {
            if (!(error instanceof ConsulAnswer) || !error.message.includes('already exists')) throw error;
          });
      for (const role of desired.roles) await consul.request('PUT', '/v1/acl/role', roleBody(role));
      for (const method of desired.authMethods)
        await consul.request('PUT', '/v1/acl/auth-method', methodBody(method));
      for (const rule of desired.bindingRules)
        await consul.request('PUT', '/v1/acl/binding-rule', ruleBody(rule));
    },
    async remove(desired) {
      for (const { name } of desired.authMethods)
        await consul.request('DELETE', `/v1/acl/auth-method/${name}`);
      for (const { name } of desired.roles) {
        const role = await consul.request('GET', `/v1/acl/role/name/${name}`);
        await consul.request('DELETE', `/v1/acl/role/${String(Object(role).ID)}`);
      }
    },
    async login(method, claims) {
      try {
        const answer = await consul.request('POST', '/v1/acl/login', {
          AuthMethod: method,
          BearerToken: await sign(claims),
        });
        return { secret: String(Object(answer).SecretID), roles: namesIn(answer, 'Roles') };
      } catch (error) {
        if (error instanceof ConsulAnswer && error.status === 403) return undefined;
        throw error;
      }
    },
    authorized: (secret, asked) => authorized(consul, secret, asked),
  };
}

export function methodBody({ name, description, maxTokenTtlSeconds, config }: AclAuthMethod) {
  return {
    Name: name,
    Type: 'jwt',
    Description: description,
    MaxTokenTTL: `${maxTokenTtlSeconds}s`,
    Config: {
      JWTValidationPubKeys: config.validationPubKeys,
      BoundIssuer: config.boundIssuer,
      BoundAudiences: config.boundAudiences,
      JWTSupportedAlgs: config.signingAlgorithms,
      ClaimMappings: config.claimMappings,
      ListClaimMappings: config.listClaimMappings,
    },
  };
}

function roleBody(role: AclRole) {
  return {
    Name: role.name,
    Description: role.description,
    Policies: role.policies.map((Name) => ({ Name })),
    ServiceIdentities: role.serviceIdentities.map((ServiceName) => ({ ServiceName })),
  };
}

function ruleBody(rule: AclBindingRule) {
  return {
    Description: rule.description,
    AuthMethod: rule.authMethod,
    BindType: rule.bindType,
    BindName: rule.bindName,
    Selector: rule.selector,
  };
}

/** Consul answers 64 questions at a time. */
async function authorized(consul: ConsulHandle, secret: string, asked: readonly Question[]) {
  const answers: boolean[] = [];
  for (let from = 0; from < asked.length; from += 64) {
    const questions = asked.slice(from, from + 64).map(({ resource, access, segment }) => ({
      Resource: resource,
      Access: access,
      ...(segment === '' ? {} : { Segment: segment }),
    }));
    const answer = await fetch(`${consul.httpAddress}/v1/internal/acl/authorize`, {
      method: 'POST',
      headers: { 'X-Consul-Token': secret },
      body: JSON.stringify(questions),
      signal: AbortSignal.timeout(10_000),
    });
    const body: unknown = await answer.json();
    if (Array.isArray(body)) answers.push(...body.map((each) => Object(each).Allow === true));
  }
  return answers;
}

function namesIn(answer: unknown, field: string): string[] {
  const all = field in Object(answer) ? Object(answer)[field] : [];
  return Array.isArray(all) ? all.map((each) => String(Object(each).Name)) : [];
}
