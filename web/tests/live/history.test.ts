import { expect, test } from "vitest";
import {
  applied, beforeEdits, cursorAfter, cut, EMPTY, extended, lastEdit, moved, numActions, redone,
  restored, undone,
} from "../../src/live/history";
import type { Event } from "../../src/live/protocol";

const saw = (column: number): Event => ({ edit: "add_saw", cell: [3, column] });
const right: Event = { action: 7 };

test("undo takes back what was done at once, redo does it again", () => {
  let history = extended(extended(EMPTY, [saw(1)]), [right, right, right]);
  expect(history.cursor).toBe(4);
  history = undone(history);
  expect(applied(history)).toEqual([saw(1)]);
  expect(applied(undone(history))).toEqual([]);
  expect(undone(undone(history))).toEqual({ ...history, cursor: 0 });
  expect(redone(undone(history)).cursor).toBe(1);
  expect(redone(history).cursor).toBe(4);
  expect(redone(redone(history)).cursor).toBe(4);
});

test("what is done after an undo takes the place of what was undone", () => {
  const history = extended(undone(extended(extended(EMPTY, [saw(1)]), [saw(2)])), [saw(3)]);
  expect(history).toEqual({ events: [saw(1), saw(3)], cursor: 2, stops: [1, 2] });
});

test("an edit within what was played keeps the steps before it, and undo returns there", () => {
  const played = moved(extended(EMPTY, [right, right, right]), 2);
  const edited = extended(played, [saw(1)]);
  expect(edited.events).toEqual([right, right, saw(1)]);
  expect(undone(edited).cursor).toBe(2);
  expect(undone(undone(edited)).cursor).toBe(0);
});

test("the cursor of a step holds the edits made there", () => {
  const events = [saw(1), right, saw(2), saw(3), right];
  expect([0, 1, 2, 9].map((k) => cursorAfter(events, k))).toEqual([1, 4, 5, 5]);
  expect(numActions(events)).toBe(2);
  expect(numActions(events, 4)).toBe(1);
  expect(beforeEdits(events.slice(0, 4))).toEqual([saw(1), right]);
  expect(beforeEdits([saw(1)])).toEqual([]);
});

test("a history from a link is undone edit by edit, actions in a row at once", () => {
  expect(restored([saw(1), saw(2), right, right, saw(3)]).stops).toEqual([1, 2, 4, 5]);
  expect(restored([])).toEqual(EMPTY);
});

test("what was refused can be cut off", () => {
  const history = extended(extended(EMPTY, [saw(1)]), [saw(2)]);
  expect(cut(undone(history))).toEqual(extended(EMPTY, [saw(1)]));
});

test("the last edit of a kind counts", () => {
  const show = (kind: string, visible: boolean): Event => ({ edit: "set_visible", kind, visible });
  const events = [show("saw", false), show("enemy", false), show("saw", true), right];
  expect(lastEdit(events, "set_visible", (edit) => edit["kind"] === "saw")).toEqual(show("saw", true));
  expect(lastEdit(events, "set_background")).toBeNull();
});
