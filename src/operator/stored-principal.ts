import { z } from 'zod';

const text = () => z.string().regex(/^\P{Cc}{1,512}$/u);

/** Who decided, as the store has it. */
export const StoredPrincipal = z.object({
  id: text(),
  note: text().exactOptional(),
  comment: text().exactOptional(),
});
