//! A module's parameters by name.

use std::collections::BTreeMap;

use burn::module::{AutodiffModule, Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{DType, Tensor, TensorData};

use crate::{compare, layout};

/// Tensors by the name of their field.
pub type Named = BTreeMap<String, TensorData>;

/// The parameters of a module, in `f64`.
pub fn named<B: Backend, M: Module<B>>(module: &M) -> Named {
    struct Visitor {
        field: String,
        found: Named,
    }
    impl<B: Backend> ModuleVisitor<B> for Visitor {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.field = name.to_string();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            self.found
                .insert(self.field.clone(), compare::values(param.val()));
        }
    }
    let mut visitor = Visitor {
        field: String::new(),
        found: Named::new(),
    };
    module.visit(&mut visitor);
    visitor.found
}

/// The gradients of a module's parameters, of those that have one.
pub fn gradients<B: AutodiffBackend, M: AutodiffModule<B>>(
    module: &M,
    gradients: &B::Gradients,
) -> Named {
    struct Visitor<'a, B: AutodiffBackend> {
        field: String,
        gradients: &'a B::Gradients,
        found: Named,
    }
    impl<B: AutodiffBackend> ModuleVisitor<B> for Visitor<'_, B> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.field = name.to_string();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            if let Some(gradient) = param.val().grad(self.gradients) {
                self.found
                    .insert(self.field.clone(), compare::values(gradient));
            }
        }
    }
    let mut visitor = Visitor {
        field: String::new(),
        gradients,
        found: Named::new(),
    };
    module.visit(&mut visitor);
    visitor.found
}

/// The module with every parameter replaced, in elements of type `dtype`.
///
/// # Panics
///
/// If `values` lacks a parameter, has one that the module has not, or one of another shape.
pub fn replaced<B: Backend, M: Module<B>>(module: M, values: &Named, dtype: DType) -> M {
    struct Mapper<'a> {
        field: String,
        values: &'a Named,
        dtype: DType,
        replaced: usize,
    }
    impl<B: Backend> ModuleMapper<B> for Mapper<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.field = name.to_string();
        }

        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            let field = &self.field;
            let Some(values) = self.values.get(field) else {
                panic!("no value for {field}")
            };
            let old = param.val();
            assert_eq!(
                old.dims().to_vec(),
                values.shape.to_vec(),
                "shape of {field}"
            );
            self.replaced += 1;
            let tensor = Tensor::from_data(values.clone(), (&old.device(), self.dtype));
            Param::initialized(param.id, tensor.require_grad())
        }
    }
    let mut mapper = Mapper {
        field: String::new(),
        values,
        dtype,
        replaced: 0,
    };
    let module = module.map(&mut mapper);
    assert_eq!(
        mapper.replaced,
        values.len(),
        "parameters replaced (left) of {:?}",
        values.keys()
    );
    module
}

/// The module with gradients for those parameters alone that `trains` names.
pub fn trainable<B: Backend, M: Module<B>>(module: M, trains: impl Fn(&str) -> bool) -> M {
    struct Mapper<F> {
        field: String,
        trains: F,
    }
    impl<B: Backend, F: Fn(&str) -> bool> ModuleMapper<B> for Mapper<F> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.field = name.to_string();
        }

        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            param.set_require_grad((self.trains)(&self.field))
        }
    }
    module.map(&mut Mapper {
        field: String::new(),
        trains,
    })
}

/// The module with the same parameters in [`permuted`](layout::permuted) memory.
pub fn permuted<B: Backend, M: Module<B>>(module: M) -> M {
    struct Mapper;
    impl<B: Backend> ModuleMapper<B> for Mapper {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
            let tensor = layout::permuted(param.val());
            Param::initialized(param.id, tensor.require_grad())
        }
    }
    module.map(&mut Mapper)
}
