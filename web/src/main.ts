// Entry point. As a script of a page, the interface is that page; as a module (rlvision_jax
// appends an export to this file), it is a widget of a notebook.

import "./app.css";
import { showPage } from "./page";

export { widget } from "./widget";

// null in a module.
if (document.currentScript) showPage();
