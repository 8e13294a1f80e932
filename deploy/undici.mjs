// What dist/ holds of undici: the whole of it (fetch, WebSocket, caches) takes a tenth of a second to load.
import requestBy from 'undici/lib/api/api-request.js';

export { default as errors } from 'undici/lib/core/errors.js';
export { default as Agent } from 'undici/lib/dispatcher/agent.js';
export { default as Client } from 'undici/lib/dispatcher/client.js';
export { default as EnvHttpProxyAgent } from 'undici/lib/dispatcher/env-http-proxy-agent.js';

export function request(url, { dispatcher, ...options }) {
  const { origin, pathname, search } = new URL(url);
  return requestBy.call(dispatcher, { method: 'GET', ...options, origin, path: pathname + search });
}
