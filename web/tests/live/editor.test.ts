// The editor against a server of the protocol without a network.
import { expect, test } from "vitest";
import type { Report, Trajectory } from "../../src/data/contract";
import { LiveError, type Client } from "../../src/live/client";
import { Editor } from "../../src/live/editor.svelte";
import type { Event, Moment, MomentRequest, Scene } from "../../src/live/protocol";
import { View } from "../../src/view/view.svelte";

const NUM_STEPS = 10;
const trajectory: Trajectory = {
  label: "", numSteps: NUM_STEPS, actions: new Int32Array(NUM_STEPS), rewards: new Float32Array(NUM_STEPS),
  terminated: Uint8Array.from({ length: NUM_STEPS }, (_, t) => (t === 6 ? 1 : 0)),
  truncated: new Uint8Array(NUM_STEPS), levelComplete: new Uint8Array(NUM_STEPS),
  levelSeeds: new Int32Array(NUM_STEPS), values: new Float32Array(NUM_STEPS),
  advantages: new Float32Array(NUM_STEPS), policyLogits: new Float32Array(2 * NUM_STEPS),
  attributions: [[0, 0]], hasObjects: false, humanChunk: null, agent: 0, counterpart: null,
};
const report: Report = {
  title: "", provenance: {}, actionNames: ["LEFT", "RIGHT"], hasLevels: true,
  layers: [{ name: "2b", kind: "attribution", features: [], hasGrids: false, counterpart: null }],
  scores: [{ name: "value", actions: null }], trajectories: [trajectory], agents: [], bookmarks: [], failures: [],
  objectNames: [],
};
const scene: Scene = {
  things: [
    { kind: "saw", box: [0.2, 0.4, 0.3, 0.5], cell: [3, 22] },
    { kind: "crate", box: [0.5, 0.4, 0.6, 0.5], cell: [3, 25] },
    { kind: "crate", box: [0.5, 0.4, 0.6, 0.5], cell: [3, 25] },
  ],
  origin: [20, 8], cells: 10,
};

/** A moment whose value tells the step and how many events there were. */
function momentOf({ step, history }: MomentRequest): Moment {
  const numActions = history.filter((event) => "action" in event).length;
  return {
    picture: { numSteps: 1, height: 1, width: 1, pixels: Uint8Array.from([0, 0, 0]) },
    value: step * 100 + history.length, policyLogits: [0, 0], attributions: [], scene, velocity: [0, 0],
    reward: 0, end: numActions >= 5 ? "saw" : null,
  };
}

class Server implements Client {
  asked: MomentRequest[] = [];
  /** Answers that wait; null: all are given at once. */
  waiting: (() => void)[] | null = null;
  refuses: ((event: Event) => boolean) | null = null;

  about = async () => ({
    scene: true, pixels: true, reason: null, kinds: [], hideable: [], backgrounds: 1, ground_themes: 1, player_themes: 1,
  });
  async moment(request: MomentRequest): Promise<Moment> {
    this.asked.push(request);
    if (this.waiting) await new Promise<void>((resolve) => this.waiting!.push(resolve));
    if (this.refuses && request.history.some(this.refuses)) {
      throw new LiveError("no such cell", { isRefusal: true });
    }
    return momentOf(request);
  }
  async play({ num_steps }: { num_steps: number }) {
    const { picture } = momentOf({ trajectory: 0, step: 0, history: [], layer: "", scores: [] });
    return Array.from({ length: num_steps }, (_, t) => ({
      action: 1, picture, value: -t, policyLogits: [0, 0],
    }));
  }
}

const settle = () => new Promise((resolve) => setTimeout(resolve));

/** An open editor; `settle` does what effects do in the browser. */
async function opened(step = 2) {
  const server = new Server();
  const editor = new Editor(new View(report), server);
  editor.view.step = step;
  await editor.open();
  const refresh = async () => {
    editor.refresh();
    await settle();
  };
  await refresh();
  return { server, editor, refresh };
}
const saw = { edit: "add_saw", cell: [1, 1] } as const;

test("what is shown follows the edits, and what was there before stays beside it", async () => {
  const { editor, refresh, server } = await opened();
  expect(editor.now!.value).toBe(200);
  editor.do(saw);
  expect(editor.isCurrent).toBe(false);
  await refresh();
  expect([editor.before!.value, editor.now!.value, editor.isCurrent]).toEqual([200, 201, true]);
  const { length } = server.asked;
  editor.undo();
  await refresh();
  expect([editor.now!.value, server.asked.length]).toEqual([200, length]); // known already
});

test("of edits that come faster than answers only the newest is asked for and shown", async () => {
  const { editor, refresh, server } = await opened();
  server.waiting = [];
  const seen: number[] = [];
  for (let i = 0; i < 4; i++) {
    editor.do(saw);
    editor.refresh();
  }
  while (server.waiting.length > 0) {
    server.waiting.shift()!();
    await settle();
    seen.push(editor.now!.value);
  }
  await refresh();
  // The first was under way; its late answer was not shown.
  expect(server.asked.slice(1).map(({ history }) => history.length)).toEqual([1, 4]);
  expect(seen).toEqual([200, 204]);
});

test("what the server refuses is not done, and its sentence is shown until the next edit", async () => {
  const { editor, refresh, server } = await opened();
  server.refuses = (event) => "edit" in event && event.edit === "remove_saw";
  editor.do(saw);
  await refresh();
  editor.do({ edit: "remove_saw", cell: [0, 0] });
  await refresh();
  expect(editor.error!.message).toBe("no such cell");
  expect(editor.events).toEqual([saw]);
  await refresh();
  expect([editor.now!.value, editor.canRedo]).toEqual([201, false]);
  editor.do(saw);
  expect(editor.error).toBeNull();
});

test("a server that is gone takes nothing back", async () => {
  const { editor, refresh, server } = await opened();
  server.moment = () => Promise.reject(new LiveError("gone"));
  editor.do(saw);
  await refresh();
  expect([editor.error!.message, editor.events.length]).toEqual(["gone", 1]);
});

test("a thing keeps its identity while it is moved, and moves on before the answer", async () => {
  const { editor } = await opened();
  const thing = editor.things[0]!;
  editor.move(thing, [1, 0]);
  editor.move(editor.things[0]!, [1, 0]);
  expect(editor.things.map(({ id }) => id)).toContain(thing.id);
  expect(editor.events).toEqual([
    { edit: "move_saw", source: [3, 22], target: [3, 23] },
    { edit: "move_saw", source: [3, 23], target: [3, 24] },
  ]);
  editor.remove(editor.things[0]!);
  expect(editor.things.map(({ kind }) => kind)).toEqual(["crate"]); // two in a cell are one thing
});

test("the agent plays on step by step, beside the recording at the same step", async () => {
  const { editor, refresh } = await opened();
  editor.do(saw);
  await refresh();
  await editor.play(3, false);
  await refresh();
  expect([editor.playing, editor.numActions, editor.numPlayed]).toEqual([true, 0, 3]);
  editor.advance();
  expect([editor.value, editor.isCurrent]).toEqual([-0, false]); // as it was played, until the answer
  await refresh();
  expect([editor.value, editor.before!.value]).toEqual([202, 300]);
  editor.advance();
  editor.advance();
  await refresh();
  expect([editor.playing, editor.value, editor.before!.value]).toEqual([false, 204, 500]);
  expect(editor.values).toEqual([201, 202, -1, 204]);
  editor.seek(0);
  await refresh();
  expect([editor.value, editor.before!.value]).toEqual([201, 200]);
  editor.redo();
  editor.undo();
  expect(editor.events).toEqual([saw]);
});

test("where the recorded episode has ended, only what is edited has a reference", async () => {
  const { editor, refresh } = await opened(5);
  await editor.play(3, true);
  editor.seek(1);
  await refresh();
  expect([editor.reference, editor.before!.value]).toEqual(["recorded", 600]);
  editor.seek(2);
  await refresh();
  expect([editor.reference, editor.before]).toEqual([null, null]);
  editor.do(saw);
  await refresh();
  expect([editor.reference, editor.before!.value, editor.value]).toEqual(["unedited", 502, 503]);
});

test("actions by hand wait for each other, and nothing follows an end", async () => {
  const { editor, refresh } = await opened();
  for (let i = 0; i < 9; i++) editor.act(1);
  for (let i = 0; i < 9; i++) await refresh();
  expect([editor.numPlayed, editor.end]).toEqual([5, "saw"]);
  editor.act(1);
  editor.do(saw);
  await editor.play(3, false);
  expect(editor.events).toHaveLength(5);
  editor.undo();
  await refresh();
  expect([editor.end, editor.numActions]).toEqual([null, 4]);
});

test("a link opens the editor where it leads, and one without edits closes it", async () => {
  const { editor, refresh, server } = await opened();
  editor.restore([saw, { action: 1 }, { action: 1 }]);
  await refresh();
  expect([editor.now!.value, editor.numActions]).toEqual([203, 2]);
  // The values on the way are asked for too, for the graph, without attributions.
  expect(editor.values).toEqual([201, 202, 203]);
  expect(server.asked.filter(({ scores }) => scores.length === 0).map(({ history }) => history.length)).toEqual([1, 2]);
  editor.undo();
  expect(editor.events).toEqual([saw]);
  editor.restore(null);
  expect(editor.isOpen).toBe(false);
});
