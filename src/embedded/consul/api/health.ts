import type { Authorizer } from '../acl/authorizer.js';
import { badRequest, type ConsulReply, type ConsulRequest } from '../exchange.js';
import { replyWithQuery } from '../read-reply.js';
import type { Route, ServerContext } from '../server-context.js';
import { nodeKey, serviceIndex } from '../state/catalog-writes.js';
import type { CheckRow } from '../state/rows.js';
import { hasNodeMeta, instancesIndex, instancesOf, isVisible } from './catalog.js';
import { checkView, nodeServiceView, nodeView } from './catalog-views.js';

export const healthRoutes: readonly Route[] = [
  {
    path: '/v1/health/service/',
    methods: { GET: (context, request) => listHealth(context, request, false) },
  },
  { path: '/v1/health/connect/', methods: { GET: (context, request) => listHealth(context, request, true) } },
  {
    path: '/v1/health/checks/',
    methods: { GET: (context, request) => listChecks(context, request, 'ServiceName') },
  },
  { path: '/v1/health/node/', methods: { GET: (context, request) => listChecks(context, request, 'Node') } },
  {
    path: '/v1/health/state/',
    methods: { GET: (context, request) => listChecks(context, request, 'Status') },
  },
];

function listHealth(
  context: ServerContext,
  request: ConsulRequest,
  isConnect: boolean,
): Promise<ConsulReply> {
  const authorizer = context.acl.authorize(request);
  const name = request.path.slice(isConnect ? '/v1/health/connect/'.length : '/v1/health/service/'.length);
  if (name === '') throw badRequest('Missing service name');
  const isPassingOnly = request.query.has('passing') && request.query.get('passing') !== 'false';
  const tags = request.query.getAll('tag').map((tag) => tag.toLowerCase());
  return replyWithQuery(
    context,
    request,
    (watch) => {
      watch.table('services');
      watch.table('nodes');
      watch.table('checks');
      const rows = instancesOf(context.store, name, isConnect);
      const found = rows
        .filter((row) => tags.every((tag) => row.Tags?.some((own) => own.toLowerCase() === tag)))
        .flatMap((row) => {
          const node = context.store.get('nodes', nodeKey(row.Node));
          if (node === undefined || !hasNodeMeta(request, node)) return [];
          const checks = context.store
            .list('checks', `${nodeKey(row.Node)}/`)
            .filter((check) => check.ServiceID === '' || check.ServiceID === row.ID)
            .sort((left, right) => Number(left.ServiceID !== '') - Number(right.ServiceID !== ''));
          return [{ row, node, checks }];
        });
      const visible = found.filter(({ row }) => isVisible(authorizer, row));
      const value = visible
        .filter(({ checks }) => !isPassingOnly || checks.every((check) => check.Status === 'passing'))
        .map(({ row, node, checks }) => ({
          Node: nodeView(node),
          Service: nodeServiceView(row),
          Checks: checks.map(checkView),
        }));
      const names = isConnect ? [...new Set(rows.map((row) => row.Service))] : [name];
      const indexes = names.map((each) => instancesIndex(context.store, each, rows.length > 0, true));
      const index = Math.max(
        ...indexes,
        names.length === 0 ? instancesIndex(context.store, name, false, true) : 0,
      );
      return { index, value, filtered: visible.length < found.length };
    },
    true,
  );
}

function listChecks(
  context: ServerContext,
  request: ConsulRequest,
  field: 'ServiceName' | 'Node' | 'Status',
): Promise<ConsulReply> {
  const authorizer = context.acl.authorize(request);
  const wanted = request.path.slice(request.path.lastIndexOf('/') + 1);
  if (wanted === '') throw badRequest(missingTexts[field]);
  return replyWithQuery(
    context,
    request,
    (watch) => {
      watch.table('checks');
      const found = context.store.list('checks').filter((check) => {
        return (
          (field === 'Status' && wanted === 'any') || check[field].toLowerCase() === wanted.toLowerCase()
        );
      });
      const value = found.filter((check) => isCheckVisible(authorizer, check));
      const own = field === 'ServiceName' ? context.store.indexOf(serviceIndex(wanted)) : 0;
      const index = own > 0 && found.length > 0 ? own : context.store.indexOf('checks', 'nodes');
      return { index, value: value.map(checkView), filtered: value.length < found.length };
    },
    true,
  );
}

const missingTexts = {
  ServiceName: 'Missing service name',
  Node: 'Missing node name',
  Status: 'Missing check state',
};

function isCheckVisible(authorizer: Authorizer, check: CheckRow): boolean {
  return (
    authorizer.isAllowed('node', 'read', check.Node) &&
    (check.ServiceName === '' || authorizer.isAllowed('service', 'read', check.ServiceName))
  );
}
