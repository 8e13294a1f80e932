import { type ConsulReply, type ConsulRequest, jsonReply } from '../exchange.js';
import type { Route, ServerContext } from '../server-context.js';

export const statusRoutes: readonly Route[] = [
  {
    path: '/v1/status/leader',
    methods: { GET: (context, request) => jsonReply(request, serverAddress(context)) },
  },
  { path: '/v1/status/peers', methods: { GET: readPeers } },
  {
    path: '/v1/catalog/datacenters',
    methods: { GET: (context, request) => jsonReply(request, [context.datacenter]) },
  },
];

function readPeers(context: ServerContext, request: ConsulRequest): ConsulReply {
  return jsonReply(request, [serverAddress(context)]);
}

/** The address of the server's own protocol. Nothing listens there: this cell has no peers. */
function serverAddress(context: ServerContext): string {
  return `${context.address().host}:${serverPort}`;
}

export const serverPort = 8300;
