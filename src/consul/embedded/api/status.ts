import type { Cell, Route } from '../cell.js';
import { type ConsulReply, type ConsulRequest, jsonReply } from '../exchange.js';

export const statusRoutes: readonly Route[] = [
  { path: '/v1/status/leader', methods: { GET: (cell, request) => jsonReply(request, serverAddress(cell)) } },
  { path: '/v1/status/peers', methods: { GET: readPeers } },
  {
    path: '/v1/catalog/datacenters',
    methods: { GET: (cell, request) => jsonReply(request, [cell.datacenter]) },
  },
];

function readPeers(cell: Cell, request: ConsulRequest): ConsulReply {
  return jsonReply(request, [serverAddress(cell)]);
}

/** The address of the server's own protocol. Nothing listens there: this cell has no peers. */
function serverAddress(cell: Cell): string {
  return `${cell.address().host}:${serverPort}`;
}

export const serverPort = 8300;
