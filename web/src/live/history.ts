// What was done to a recorded moment, in order; undoing moves a cursor back along it.

import type { ActionEvent, EditEvent, Event } from "./protocol";

export interface History {
  readonly events: readonly Event[];
  /** How many of the events count now. */
  readonly cursor: number;
  /** Where undo and redo stop: each ends what the reader did at once. Increasing, without 0. */
  readonly stops: readonly number[];
}

export const EMPTY: History = { events: [], cursor: 0, stops: [] };

export const isAction = (event: Event | undefined): event is ActionEvent =>
  event !== undefined && !("edit" in event);

/** The events that count. */
export const applied = ({ events, cursor }: History): readonly Event[] => events.slice(0, cursor);

/** Does something more at the cursor; what was undone is gone. */
export function extended(history: History, added: readonly Event[]): History {
  if (added.length === 0) return history;
  const { cursor, stops } = history;
  const events = [...applied(history), ...added];
  // Where playing was scrubbed to is a stop as well: undo comes back to it.
  const kept = stops.filter((stop) => stop < cursor);
  const before = cursor > 0 ? [...kept, cursor] : kept;
  return { events, cursor: cursor + added.length, stops: [...before, events.length] };
}

export function undone(history: History): History {
  return moved(history, Math.max(0, ...history.stops.filter((stop) => stop < history.cursor)));
}

export function redone(history: History): History {
  return moved(history, history.stops.find((stop) => stop > history.cursor) ?? history.cursor);
}

export function moved(history: History, cursor: number): History {
  return { ...history, cursor: Math.max(0, Math.min(cursor, history.events.length)) };
}

/** Without what was undone. */
export function cut({ events, cursor, stops }: History): History {
  return { events: events.slice(0, cursor), cursor, stops: stops.filter((stop) => stop <= cursor) };
}

/** The history of a link: each edit was done by itself, actions in a row at once. */
export function restored(events: readonly Event[]): History {
  const stops = events
    .map((_, index) => index + 1)
    .filter((end) => !(isAction(events[end - 1]) && isAction(events[end])));
  return { events, cursor: events.length, stops };
}

/** Actions among the first events. */
export const numActions = (events: readonly Event[], end = events.length): number =>
  events.slice(0, end).filter(isAction).length;

/** The cursor right before the action after the k-th one: with all the edits made there. */
export function cursorAfter(events: readonly Event[], k: number): number {
  let seen = 0;
  for (let index = 0; index < events.length; index++) {
    if (!isAction(events[index])) continue;
    if (seen === k) return index;
    seen++;
  }
  return events.length;
}

/** The events without the edits after the last action. */
export function beforeEdits(events: readonly Event[]): readonly Event[] {
  return events.slice(0, events.findLastIndex(isAction) + 1);
}

/** The last edit of a name that counts, and fits; null: there is none. */
export function lastEdit(
  events: readonly Event[], name: string, fits: (edit: EditEvent) => boolean = () => true,
): EditEvent | null {
  const edits = events.flatMap((event) => (isAction(event) ? [] : [event]));
  return edits.findLast((edit) => edit.edit === name && fits(edit)) ?? null;
}
