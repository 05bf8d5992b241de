//! One file for each page; its template has the same name.

pub(crate) mod authorize;
pub(crate) mod device;
pub(crate) mod home;
mod next;
pub(crate) mod password;
mod permissions;
pub(crate) mod sign_in;
pub(crate) mod sign_out;

use askama::Template;
use web::page::Page;

use crate::problem::Problem;

fn render(template: &impl Template) -> Result<Page, Problem> {
    Ok(Page::new(template.render()?))
}
