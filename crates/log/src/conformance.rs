//! What every log must keep, whatever it is made of.
//!
//! Not here: what is one place's own, such as a torn tail.
