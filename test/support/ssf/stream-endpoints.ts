import { randomUUID } from 'node:crypto';
import type { Answer, ReceivedRequest, StandInStream, StandInTransmitter } from './transmitter.js';

const SUPPORTED = [
  'https://schemas.openid.net/secevent/caep/event-type/session-revoked',
  'https://schemas.openid.net/secevent/caep/event-type/credential-change',
  'https://schemas.openid.net/secevent/risc/event-type/account-disabled',
];

type Body = Readonly<Record<string, unknown>>;

/** The management API (SSF 1.0, section 8.1), the poll endpoint (RFC 8936), and tokens for both (RFC 6749, section 4.4). */
export function answerManagement(asked: ReceivedRequest, self: StandInTransmitter, origin: string): Answer {
  if (asked.path === '/.well-known/openid-configuration')
    return {
      status: 200,
      json: { issuer: origin, token_endpoint: `${origin}/token`, jwks_uri: `${origin}/jwks` },
    };
  if (asked.path === '/token') return giveToken(asked, self);
  if (!asked.path.startsWith('/ssf/')) return { status: 404 };
  const bearer = asked.headers.authorization?.replace(/^Bearer /, '') ?? '';
  if (bearer !== self.managementToken && !self.issued.has(bearer)) return { status: 401 };
  const body = isBody(asked.body) ? asked.body : {};
  switch (asked.path) {
    case '/ssf/streams':
      return answerStreams(asked, body, self, origin);
    case '/ssf/status':
      return answerStatus(asked, body, self);
    case '/ssf/verify':
      return verify(body, self);
    default:
      return asked.path.startsWith('/ssf/poll/') ? answerPoll(asked, body, self) : { status: 404 };
  }
}

function giveToken({ body }: ReceivedRequest, self: StandInTransmitter): Answer {
  if (
    !(body instanceof URLSearchParams) ||
    body.get('grant_type') !== 'client_credentials' ||
    body.get('client_id') !== 'scopemesh' ||
    body.get('client_secret') !== 'client-secret-0123456789'
  )
    return { status: 401, json: { error: 'invalid_client' } };
  if (body.get('scope') !== 'ssf.read ssf.manage') return { status: 400, json: { error: 'invalid_scope' } };
  const access_token = randomUUID();
  self.issued.add(access_token);
  return { status: 200, json: { access_token, token_type: 'Bearer', expires_in: 300 } };
}

function answerStreams(asked: ReceivedRequest, body: Body, self: StandInTransmitter, origin: string): Answer {
  const { streams } = self;
  if (asked.method === 'GET') {
    const id = asked.query.get('stream_id');
    if (id === null) return { status: 200, json: [...streams.values()].map((each) => shown(each, self)) };
    const stream = streams.get(id);
    return stream === undefined ? { status: 404 } : { status: 200, json: shown(stream, self) };
  }
  const delivery = deliveryOf(body);
  if (asked.method === 'POST') {
    if (self.isSingle && streams.size > 0) return { status: 409 };
    const id = randomUUID();
    const stream: StandInStream = {
      stream_id: id,
      iss: self.issuer,
      aud: self.aud,
      delivery: completed(delivery ?? { method: 'urn:ietf:rfc:8936' }, id, origin),
      events_requested: textsOf(body.events_requested),
      status: 'enabled',
    };
    streams.set(id, stream);
    return { status: 201, json: shown(stream, self) };
  }
  const stream = streams.get(String(body.stream_id));
  if (asked.method !== 'PATCH' || stream === undefined) return { status: 404 };
  if (delivery !== undefined) stream.delivery = completed(delivery, stream.stream_id, origin);
  if (body.events_requested !== undefined) stream.events_requested = textsOf(body.events_requested);
  return { status: 200, json: shown(stream, self) };
}

function answerStatus(asked: ReceivedRequest, body: Body, self: StandInTransmitter): Answer {
  const id = asked.method === 'GET' ? asked.query.get('stream_id') : String(body.stream_id);
  const stream = self.streams.get(id ?? '');
  if (stream === undefined) return { status: 404 };
  if (asked.method === 'POST' && body.status === 'enabled') stream.status = 'enabled';
  return { status: 200, json: { stream_id: stream.stream_id, status: stream.status, reason: 'as asked' } };
}

function verify(body: Body, self: StandInTransmitter): Answer {
  const stream = self.streams.get(String(body.stream_id));
  if (stream === undefined) return { status: 404 };
  if (!self.isSilent) {
    const type = 'https://schemas.openid.net/secevent/ssf/event-type/verification';
    const said = body.state === undefined ? {} : { state: body.state };
    const rest = { sub_id: { format: 'opaque', id: stream.stream_id } };
    // Not before the answer, as section 8.1.4.2 allows and receivers must bear.
    setImmediate(() => self.emit(self.claims({ [type]: said }, rest)).catch(() => {}));
  }
  return { status: 204 };
}

function answerPoll(asked: ReceivedRequest, body: Body, self: StandInTransmitter): Answer {
  if (!self.streams.has(asked.path.slice('/ssf/poll/'.length))) return { status: 404 };
  // RFC 8936, section 2.6.
  if (isBody(body.setErrs) && asked.headers['content-language'] === undefined) return { status: 400 };
  self.polled.push(body);
  for (const jti of textsOf(body.ack)) self.waiting.delete(jti);
  for (const [jti, error] of Object.entries(isBody(body.setErrs) ? body.setErrs : {})) {
    self.waiting.delete(jti);
    self.refused.set(jti, error);
  }
  const asks = typeof body.maxEvents === 'number' ? body.maxEvents : self.mostSets;
  const sets = [...self.waiting].slice(0, Math.min(asks, self.mostSets));
  const moreAvailable = self.waiting.size > sets.length;
  return {
    status: 200,
    json: { sets: Object.fromEntries(sets), ...(moreAvailable ? { moreAvailable } : {}) },
  };
}

function shown(stream: StandInStream, self: StandInTransmitter): object {
  // The Authorization header is write-only at most transmitters.
  const { authorization_header: _, ...delivery } = stream.delivery;
  const events_delivered = stream.events_requested.filter((each) => SUPPORTED.includes(each));
  const { status: _status, ...rest } = stream;
  return {
    ...rest,
    delivery,
    events_supported: SUPPORTED,
    events_delivered,
    min_verification_interval: 1,
    inactivity_timeout: 86_400,
    description: 'a stream',
    ...self.ofStreams,
  };
}

function completed(
  delivery: StandInStream['delivery'],
  id: string,
  origin: string,
): StandInStream['delivery'] {
  return delivery.method === 'urn:ietf:rfc:8936'
    ? { method: delivery.method, endpoint_url: `${origin}/ssf/poll/${id}` }
    : delivery;
}

function deliveryOf({ delivery }: Body): StandInStream['delivery'] | undefined {
  if (!isBody(delivery) || typeof delivery.method !== 'string') return undefined;
  const { method, endpoint_url, authorization_header } = delivery;
  return {
    method,
    ...(typeof endpoint_url === 'string' ? { endpoint_url } : {}),
    ...(typeof authorization_header === 'string' ? { authorization_header } : {}),
  };
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function isBody(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
