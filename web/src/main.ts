// Entry point: mounts the page and lets it find its data beside itself.

import { mount } from "svelte";
import App from "./App.svelte";
import "./app.css";
import { installReceiver } from "./data/load";

installReceiver();
mount(App, { target: document.body });
