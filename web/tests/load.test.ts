import { expect, test, vi } from "vitest";
import { cached } from "../src/data/load";

test("a result is loaded once while it is kept, and the least recently used goes first", async () => {
  const load = vi.fn(async (key: string) => key.toUpperCase());
  const get = cached(2, load);
  expect(await get("a")).toBe("A");
  await get("b");
  await get("a");
  expect(load).toHaveBeenCalledTimes(2);
  await get("c"); // drops b, used before a
  await get("a");
  expect(load).toHaveBeenCalledTimes(3);
  await get("b");
  expect(load).toHaveBeenCalledTimes(4);
});

test("a failure is not kept", async () => {
  const load = vi.fn(async (key: string) => key).mockRejectedValueOnce(new Error("missing"));
  const get = cached(2, load);
  await expect(get("a")).rejects.toThrow("missing");
  expect(await get("a")).toBe("a");
});
