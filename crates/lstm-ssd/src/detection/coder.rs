//! Boxes as a network says them: relative to a prior.

use super::CenterBox;

/// Codes of boxes relative to priors (Ren et al., *Faster R-CNN*, 2015, equation 2, with the scale
/// factors of the TensorFlow Object Detection API), in the order `ty, tx, th, tw`:
///
/// ```text
/// ty = y_scale (cy - cy_prior) / h_prior      th = h_scale ln(h / h_prior)
/// tx = x_scale (cx - cx_prior) / w_prior      tw = w_scale ln(w / w_prior)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoxCoder {
    /// Factors of `ty, tx, th, tw`.
    pub scales: [f32; 4],
}

impl Default for BoxCoder {
    /// Factors 10 for places and 5 for sizes, as the published detectors have them.
    fn default() -> Self {
        Self {
            scales: [10.0, 10.0, 5.0, 5.0],
        }
    }
}

/// The least height and width that are encoded, so that no logarithm is infinite.
const LEAST: f32 = 1e-8;

impl BoxCoder {
    /// The code of a box. Sizes below 1e-8 count as 1e-8.
    pub fn encode(&self, object: CenterBox, prior: CenterBox) -> [f32; 4] {
        let [y, x, h, w] = self.scales;
        let ratio = |size: f32, prior: f32| (size.max(LEAST) / prior.max(LEAST)).ln();
        [
            y * (object.cy - prior.cy) / prior.h.max(LEAST),
            x * (object.cx - prior.cx) / prior.w.max(LEAST),
            h * ratio(object.h, prior.h),
            w * ratio(object.w, prior.w),
        ]
    }

    /// The box of a code.
    pub fn decode(&self, code: [f32; 4], prior: CenterBox) -> CenterBox {
        let [y, x, h, w] = self.scales;
        CenterBox {
            cy: code[0] / y * prior.h + prior.cy,
            cx: code[1] / x * prior.w + prior.cx,
            h: (code[2] / h).exp() * prior.h,
            w: (code[3] / w).exp() * prior.w,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIOR: CenterBox = CenterBox {
        cy: 0.5,
        cx: 0.25,
        h: 0.2,
        w: 0.4,
    };

    #[test]
    fn a_code_by_hand() {
        let object = CenterBox {
            cy: 0.6,
            cx: 0.15,
            h: 0.4,
            w: 0.2,
        };
        let code = BoxCoder::default().encode(object, PRIOR);
        let expected = [5.0, -2.5, 3.465_736, -3.465_736];
        for (found, expected) in code.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{code:?}");
        }
        assert_eq!(BoxCoder::default().encode(PRIOR, PRIOR), [0.0; 4]);
    }

    #[test]
    fn decoding_undoes_encoding() {
        let coder = BoxCoder::default();
        for index in 0..100 {
            let object = CenterBox {
                cy: index as f32 / 100.0,
                cx: 1.0 - index as f32 / 50.0,
                h: 0.01 + index as f32 / 70.0,
                w: 1.3 - index as f32 / 90.0,
            };
            let back = coder.decode(coder.encode(object, PRIOR), PRIOR);
            for (found, expected) in [
                (back.cy, object.cy),
                (back.cx, object.cx),
                (back.h, object.h),
                (back.w, object.w),
            ] {
                assert!((found - expected).abs() < 1e-6, "{back:?} {object:?}");
            }
        }
    }

    #[test]
    fn a_box_without_a_size_has_a_finite_code() {
        let point = CenterBox {
            h: 0.0,
            w: 0.0,
            ..PRIOR
        };
        let code = BoxCoder::default().encode(point, PRIOR);
        assert!(code.iter().all(|value| value.is_finite()), "{code:?}");
    }
}
