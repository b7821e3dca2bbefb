// What the interface stands in: a page of its own, or a cell of a notebook among others.

import type { Source } from "./data/load";
import type { Client } from "./live/client";

export interface Surroundings {
  source: Source;
  /** What the interface is drawn in. */
  surface: HTMLElement;
  /** Where keys arrive that are meant for it. */
  keys: EventTarget;
  /** Whether the title and the address of the page are the report's. */
  ownsPage: boolean;
  /** Who answers what becomes of an edited moment; null: nobody. */
  client: Client | null;
}
