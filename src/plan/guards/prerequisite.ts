import { clientText } from '../world.js';
import { all, type ChangeGuard } from './guard.js';

/**
 * What is gained opens last: a widening waits until its client's ACL objects are written, for the client may log in when
 * an intention opens. Claims and jwt-providers that are missing keep a widening out of the plan itself.
 */
export const prerequisite: ChangeGuard = ({ changes, opensLast }, { opening }) => {
  if (!opensLast || opening.size === 0) return new Map();
  const waiting = changes.filter(
    ({ widens, narrows, client }) =>
      widens && !narrows && client !== undefined && opening.has(clientText(client)),
  );
  return all(waiting, { do: 'wait' });
};
