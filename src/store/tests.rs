//! Both stores through the same cases.
