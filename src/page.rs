//! What people look at in a browser: all models at `/`, one of them at `/models/NAME`.
//!
//! Made on the server, whole, from the Snapshot and from what the store has summed up, so that it says what
//! `warmctl status` says. Works without JavaScript; a little of it refreshes what is shown. Asks nobody else
//! for anything: style, script and icon are built in. Each figure is a `<data>` element that bears the
//! Snapshot's number and its key.
//!
//! Pictures are SVG of our own making: a plotting library writes colours into every element, where a page
//! that is light or dark as its reader likes needs names for them.

mod answers;
mod axis;
mod curve;
mod figure;
mod frame;
mod model;
mod overview;
mod plot;
mod strip;
mod view;
mod waits;
mod week;

pub use frame::{Asset, CONTENT_SECURITY_POLICY, asset, trouble};
pub use model::{OneModel, one};
pub use overview::{Overview, overview};
pub use view::View;
